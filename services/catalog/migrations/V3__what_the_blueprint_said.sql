-- How many nodes the blueprint allows, and what it said (JSON) when it was last taken in: a value
-- that it has changed since is applied, one that it has not keeps what people have set.
ALTER TABLE pool
    ADD COLUMN fewest integer NOT NULL DEFAULT 1 CHECK (fewest >= 1),
    ADD COLUMN most   integer NOT NULL DEFAULT 8,
    ADD COLUMN told   text,
    ADD CHECK (fewest <= most);
