-- Handing entries over before the table changes: the number of the newest hand-over, the one by which
-- the table of this epoch came about (0: none), the table that is coming (JSON), and whether the
-- blueprint wants it at all.
ALTER TABLE pool
    ADD COLUMN hand_over  bigint  NOT NULL DEFAULT 0 CHECK (hand_over >= 0),
    ADD COLUMN taken      bigint  NOT NULL DEFAULT 0 CHECK (taken >= 0),
    ADD COLUMN coming     text,
    ADD COLUMN hands_over boolean NOT NULL DEFAULT true;
