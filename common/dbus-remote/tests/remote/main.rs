//! Questions to another daemon, whatever becomes of it: simulated engines behind the real socket, in this process and in
//! one that is stopped and killed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test fails by panicking")]

mod answers;
mod faults;
mod peer;
