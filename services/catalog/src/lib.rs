//! The photos and the pool, as PostgreSQL keeps them.
