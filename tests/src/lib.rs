//! virtbus-tests
