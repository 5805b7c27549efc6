//! virtnetworkd: the daemon that manages networks. Here, and only here, engine and fronts meet.

fn main() {}
