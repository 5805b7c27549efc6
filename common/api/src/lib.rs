//! virtbus-api
