//! virtqemud
fn main() {}
