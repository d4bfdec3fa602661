-- What was changed of the pool's configuration, when and by whom, under the names and in the form
-- of configure_cache.
CREATE TABLE pool_change (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool   text        NOT NULL REFERENCES pool (name) ON DELETE CASCADE,
    at     timestamptz NOT NULL,
    by     text        NOT NULL CHECK (by IN ('page', 'api', 'blueprint', 'scaler')),
    what   text        NOT NULL,
    before text        NOT NULL,
    after  text        NOT NULL
);
CREATE INDEX pool_change_by_age ON pool_change (pool, id);

-- The ticks of the scaler. `minute` is the start of the minute that was judged, whose misses by
-- lookups are the rate. `goes_to` is another size than `size` if the pool was resized.
CREATE TABLE decision (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool    text        NOT NULL REFERENCES pool (name) ON DELETE CASCADE,
    at      timestamptz NOT NULL,
    state   text        NOT NULL CHECK (state IN ('steady', 'resizing', 'cooling')),
    outcome text        NOT NULL CHECK (outcome IN ('grew', 'shrank', 'held')),
    reason  text        NOT NULL,
    size    integer     NOT NULL CHECK (size >= 1),
    goes_to integer     NOT NULL CHECK (goes_to >= 1),
    rate    double precision CHECK (rate BETWEEN 0 AND 1),
    lookups bigint CHECK (lookups >= 0),
    minute  timestamptz,
    CHECK ((outcome = 'held') = (goes_to = size))
);
CREATE INDEX decision_by_age ON decision (pool, id);
CREATE INDEX resize_by_age ON decision (pool, id) WHERE outcome <> 'held';
