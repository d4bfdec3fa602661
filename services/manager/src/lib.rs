//! The pool's manager.
