//! The front on a real bus, over the simulated engines.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test fails by panicking")]

mod domain;
mod drain;
mod network;
mod replay;
mod rows;
mod stand;
mod storage;
