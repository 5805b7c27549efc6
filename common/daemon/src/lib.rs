//! virtbus-daemon
