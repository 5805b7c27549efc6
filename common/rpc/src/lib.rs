//! virtbus-rpc
