//! virtproxyd
fn main() {}
