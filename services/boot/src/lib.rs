//! First program on an instance.
