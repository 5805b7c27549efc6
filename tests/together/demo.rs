//! What the README promises: pool, volume, NAT, DHCP, names, two guests that reach each other, and an isolated one.

#[test]
fn the_demo_runs_to_its_end() {
    xtask::demo::show(true).unwrap();
}
