//! virtbus-store
