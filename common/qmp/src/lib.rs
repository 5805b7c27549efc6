//! virtbus-qmp
