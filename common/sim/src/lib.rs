//! virtbus-sim
