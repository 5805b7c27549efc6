//! virtbus-proto
