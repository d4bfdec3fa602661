-- Which object of the bucket a key is. `version` grows with every upload of any key, so that it
-- orders photos by age without a clock.
CREATE SEQUENCE photo_version;

CREATE TABLE photo (
    key          text COLLATE "C" PRIMARY KEY CHECK (octet_length(key) BETWEEN 1 AND 255),
    object       text        NOT NULL UNIQUE,
    size         bigint      NOT NULL CHECK (size >= 0),
    content_type text        NOT NULL,
    etag         text,
    uploaded_at  timestamptz NOT NULL DEFAULT now(),
    version      bigint      NOT NULL DEFAULT nextval('photo_version')
);
CREATE UNIQUE INDEX photo_by_version ON photo (version);

-- Objects that no photo names (yet, or any more): uploads in flight, replaced or deleted ones, and
-- those the sweeper is removing. What stays here is removed from the bucket in the end.
CREATE TABLE orphan (
    object text        PRIMARY KEY,
    state  text        NOT NULL CHECK (state IN ('upload', 'replaced', 'sweeping')),
    since  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orphan_by_age ON orphan (since);

-- The pool as it is wished for (wanted, capacity, policy, scaling) and its table's epoch and length.
-- `revision` changes with every write: who writes names the revision that was read.
CREATE TABLE pool (
    name         text PRIMARY KEY,
    revision     bigint           NOT NULL DEFAULT 1,
    epoch        bigint           NOT NULL CHECK (epoch >= 1),
    size         integer          NOT NULL CHECK (size >= 0),
    wanted       integer          NOT NULL CHECK (wanted >= 0),
    capacity     bigint           NOT NULL CHECK (capacity > 0),
    policy       text             NOT NULL CHECK (policy IN ('lru', 'random')),
    mode         text             NOT NULL CHECK (mode IN ('manual', 'auto')),
    exp_ratio    double precision NOT NULL CHECK (exp_ratio > 1),
    shrink_ratio double precision NOT NULL CHECK (shrink_ratio > 0 AND shrink_ratio < 1),
    max_miss     double precision NOT NULL,
    min_miss     double precision NOT NULL,
    CHECK (0 <= min_miss AND min_miss < max_miss AND max_miss <= 1)
);

-- One row per node from the intent to launch it (`id` is the client token of RunInstances) until its
-- instance is gone.
CREATE TABLE node (
    id       text PRIMARY KEY,
    pool     text        NOT NULL REFERENCES pool (name) ON DELETE CASCADE,
    instance text UNIQUE,
    address  text,
    subnet   text,
    place    integer CHECK (place >= 0),
    stage    text        NOT NULL
             CHECK (stage IN ('launching', 'starting', 'serving', 'lost', 'leaving', 'ending')),
    since    timestamptz NOT NULL
);
CREATE UNIQUE INDEX node_place ON node (pool, place) WHERE stage IN ('serving', 'lost');

-- Log-ins to the manager's pages, by the id in the signed cookie.
CREATE TABLE session (
    id         text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
