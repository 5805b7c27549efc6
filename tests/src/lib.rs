//! What the tests of the whole have in common. The tests themselves are beside: one folder per boundary.
#![allow(clippy::disallowed_methods, reason = "tests start programs of all kinds")]

pub mod host;
pub mod ledger;
pub mod machine;
pub mod transcript;
pub mod tree;
pub mod world;
