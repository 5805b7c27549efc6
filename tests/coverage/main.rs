//! The ledgers: what of the reference's surface is served, name by name, and that each ledger tells the truth.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dbus;
mod reasons;
mod rng;
mod rpc;
mod xml;
