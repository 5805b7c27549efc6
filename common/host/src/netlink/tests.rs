//! Against the kernel, in a network namespace of the test thread's own.

use std::net::IpAddr;

use nix::sched::{CloneFlags, unshare};

use super::*;

/// Runs `test` in a network of its own; does nothing where that may not be made.
fn alone(test: impl FnOnce(&mut Netlink) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            return;
        }
        test(&mut Netlink::open().expect("a socket"));
    });
    thread.join().expect("the test holds");
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_bridge_is_made_as_told_and_goes() {
    alone(|netlink| {
        let mac = [0x52, 0x54, 0, 1, 2, 3];
        let bridge =
            Bridge { mac: Some(mac), mtu: Some(1400), stp: Some(true), forward_delay: Some(3000), ..Bridge::default() };
        netlink.add_bridge("vbt0", &bridge).expect("made");
        let again = netlink.add_bridge("vbt0", &bridge).expect_err("the name is taken");
        assert!(again.exists(), "{again}");
        assert_eq!(again.to_string(), "cannot create bridge 'vbt0'");
        netlink.set_up("vbt0", true).expect("up");
        let link = netlink.link("vbt0").expect("there");
        assert_eq!((link.mac, link.mtu, link.up, link.kind.as_deref()), (Some(mac), 1400, true, Some("bridge")));
        netlink.set_bridge("vbt0", &Bridge { stp: Some(false), ..Bridge::default() }).expect("changed");
        netlink.set_mtu("vbt0", 1300).expect("set");
        netlink.delete_link("vbt0").expect("removed");
        netlink.delete_link("vbt0").expect("already gone");
        assert!(netlink.link("vbt0").expect_err("gone").is_absent());
    });
}

#[test]
fn ports_join_and_leave() {
    alone(|netlink| {
        netlink.add_bridge("vbt0", &Bridge::default()).expect("made");
        netlink.add_veth("vba", "vbb").expect("made");
        netlink.set_bridge_of("vba", Some("vbt0")).expect("joined");
        let bridge = netlink.link("vbt0").expect("there").index;
        assert_eq!(netlink.link("vba").expect("there").controller, Some(bridge));
        let port = Port { isolated: Some(true), learning: Some(false), unicast_flood: Some(false), ..Port::default() };
        netlink.set_port("vba", &port).expect("set");
        let mac = [0x52, 0x54, 0, 7, 7, 7];
        netlink.add_to_table("vba", mac).expect("entered");
        netlink.add_to_table("vba", mac).expect("entered");
        netlink.delete_from_table("vba", mac).expect("struck out");
        netlink.delete_from_table("vba", mac).expect("not there");
        netlink.set_bridge_of("vba", None).expect("left");
        assert_eq!(netlink.link("vba").expect("there").controller, None);
        assert!(netlink.set_port("vba", &port).is_err());
        let names: Vec<String> = netlink.links().expect("listed").into_iter().map(|link| link.name).collect();
        assert!(["lo", "vbt0", "vba", "vbb"].iter().all(|name| names.iter().any(|it| it == name)), "{names:?}");
    });
}

#[test]
fn vlans_are_the_kernels_to_refuse() {
    alone(|netlink| {
        match netlink.add_bridge("vbt0", &Bridge { vlan_filtering: Some(true), ..Bridge::default() }) {
            Ok(()) => {
                netlink.add_veth("vba", "vbb").expect("made");
                netlink.set_bridge_of("vba", Some("vbt0")).expect("joined");
                netlink.add_vlan("vba", Vlan { id: 42, native: true, untagged: true }).expect("member");
                netlink.delete_vlan("vba", 42).expect("no member");
            }
            // A kernel without that part.
            Err(error) => assert!(error.to_string().starts_with("cannot create bridge 'vbt0'"), "{error}"),
        }
    });
}

#[test]
fn addresses_and_routes() {
    alone(|netlink| {
        netlink.add_bridge("vbt0", &Bridge::default()).expect("made");
        netlink.add_address("vbt0", ip("10.9.1.1"), 24, true).expect("given");
        netlink.add_address("vbt0", ip("fd00:9::1"), 64, false).expect("given");
        assert!(netlink.add_address("vbt0", ip("10.9.1.1"), 24, true).expect_err("has it").exists());
        netlink.set_up("vbt0", true).expect("up");
        let index = netlink.link("vbt0").expect("there").index;
        let found = netlink.addresses().expect("listed");
        for (address, prefix) in [(ip("10.9.1.1"), 24), (ip("fd00:9::1"), 64)] {
            assert!(
                found.iter().any(|it| (it.index, it.address, it.prefix) == (index, address, prefix)),
                "{address} in {found:?}"
            );
        }
        netlink.add_route("vbt0", ip("10.77.0.0"), 16, ip("10.9.1.5"), 3).expect("added");
        let refused = netlink.add_route("vbt0", ip("10.78.0.0"), 16, ip("192.0.2.1"), 1).expect_err("out of reach");
        assert!(refused.explained.is_some(), "{refused:?}");
        let routes = netlink.routes().expect("listed");
        assert!(routes.iter().any(|it| {
            (it.destination, it.prefix, it.gateway, it.index, it.metric)
                == (ip("10.77.0.0"), 16, Some(ip("10.9.1.5")), Some(index), Some(3))
        }));
        assert!(routes.iter().any(|it| it.destination == ip("10.9.1.0") && it.prefix == 24 && it.gateway.is_none()));
        netlink.delete_address("vbt0", ip("10.9.1.1"), 24).expect("taken");
        netlink.delete_address("vbt0", ip("10.9.1.1"), 24).expect("already taken");
    });
}

#[test]
fn a_macvtap_lies_upon_its_device() {
    alone(|netlink| {
        netlink.add_veth("vba", "vbb").expect("made");
        let mac = [0x52, 0x54, 0, 9, 9, 9];
        if let Err(error) = netlink.add_macvtap("macvtap0", "vba", MacvtapMode::Bridge, Some(mac)) {
            assert!(error.is_unsupported(), "{error}");
            return;
        }
        let (upper, lower) = (netlink.link("macvtap0").expect("there"), netlink.link("vba").expect("there"));
        assert_eq!((upper.lower, upper.mac, upper.kind.as_deref()), (Some(lower.index), Some(mac), Some("macvtap")));
        // Without the kernel's own file system on /dev there is no node of it.
        match crate::tap::open_macvtap("macvtap0", 2, true) {
            Ok(tap) => assert_eq!((tap.name.as_str(), tap.queues.len()), ("macvtap0", 2)),
            Err(error) => assert!(error.to_string().starts_with("/dev/tap"), "{error}"),
        }
        assert!(crate::tap::open_macvtap("no-such", 1, true).is_err());
    });
}
