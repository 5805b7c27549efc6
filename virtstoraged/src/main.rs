//! virtstoraged: the daemon that manages storage pools, volumes and secrets. Here, and only here, engine and fronts meet.

fn main() {}
