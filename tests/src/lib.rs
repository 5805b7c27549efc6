//! What the tests of the whole have in common. The tests themselves are beside: one folder per boundary.

pub mod ledger;
pub mod tree;
