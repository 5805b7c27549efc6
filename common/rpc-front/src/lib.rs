//! virtbus-rpc-front
