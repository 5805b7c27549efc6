//! RPC frames over Unix sockets: server, client, streams, descriptors, keepalive, relay.
//!
//! Read [`frame`] for how frames are cut and written, [`connection`] for the socket, [`server`] for how a daemon serves
//! its clients, [`call`] for what a front implements, [`client`] for the other end,
//! and [`relay`] for calls that another daemon owns. What a procedure means is not known here.

pub mod auth;
pub mod call;
pub mod client;
pub mod connection;
pub mod error;
pub mod frame;
pub mod keepalive;
pub mod peer;
pub mod relay;
pub mod server;
pub mod stream;

/// Starting tasks by name, for the fronts that serve calls here.
pub use virtbus_host::task;
