//! The three daemons together: guests on volumes of pools and on networks, as people make them on the first day.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test may block")]

mod bridge;
mod demo;
mod ethernet;
mod install;
mod macvtap;
mod missing;
mod names;
mod transfer;
