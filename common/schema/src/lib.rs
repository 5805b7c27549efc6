//! virtbus-schema
