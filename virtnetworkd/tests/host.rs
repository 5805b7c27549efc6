//! Networks in the real kernel with the real dnsmasq and nft, in network namespaces of the test's own: a "host", "guests" that
//! plug into its bridges, and an "outside" behind it. Without root, or without those programs, nothing is tested.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "a test's own tools")]

mod host {
    pub(crate) mod client;
    pub(crate) mod world;
}

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use host::client;
use host::world::{Place, World, alone};
use virtbus_schema::Network;
use virtnetworkd::dhcp::{self, Server};
use virtnetworkd::firewall::{Firewall as _, Started, nft::Nft};
use virtnetworkd::{address, bridge, forward};

const NAT: &str = "<network><name>nat</name><forward mode='nat'/><bridge name='vbt0' stp='off'/>\
    <mac address='52:54:00:41:00:01'/><dns><host ip='10.41.1.77'><hostname>box</hostname></host></dns>\
    <ip address='10.41.1.1' netmask='255.255.255.0'><dhcp><range start='10.41.1.2' end='10.41.1.99'/></dhcp></ip>\
    <ip family='ipv6' address='fd41::1' prefix='64'/></network>";

/// Starts what a network is made of, in the order of a start.
async fn start(world: &World, xml: &str) -> (Started, Option<Server>) {
    let network = Arc::new(Network::parse(xml).expect("a network"));
    let bridge = network.bridge_name().expect("named").to_owned();
    address::check_free(&network, &bridge).expect("free");
    bridge::create(&network, &bridge).expect("made");
    forward::enable(&network).expect("forwarding");
    let started = Started { network: Arc::clone(&network), bridge: bridge.clone() };
    Nft::default().add(&started).await.expect("rules");
    address::assign(&network, &bridge).expect("addresses");
    let server = match dhcp::is_served(&network) {
        true => Some(Server::start(&world.places, &network, &bridge).await.expect("a server")),
        false => None,
    };
    (started, server)
}

#[test]
fn a_guest_behind_nat() {
    alone(async |world| {
        let outside = world.outside("192.0.2.1", "192.0.2.2");
        let (started, server) = start(&world, NAT).await;
        let mut server = server.expect("served");
        let guest = world.guest("vbt0", "g1");
        let mac = [0x52, 0x54, 0, 0x41, 0, 9];
        let given = guest.inside(move || client::lease("g1", mac, "guest1")).expect("a lease");
        assert!(given.octets().starts_with(&[10, 41, 1]), "{given}");
        guest.run(&format!("ip addr add {given}/24 dev g1"));
        guest.run("ip route add default via 10.41.1.1");
        // The lease is in the file, and a name is known.
        let leases = dhcp::leases(&world.places, &started.network, "vbt0", Some("52:54:00:41:00:09")).expect("read");
        assert_eq!(leases.len(), 1);
        assert_eq!((leases[0].address, leases[0].prefix), (IpAddr::V4(given), 24));
        assert_eq!(leases[0].hostname.as_deref(), Some("guest1"));
        let dns = Ipv4Addr::new(10, 41, 1, 1);
        let known = guest.inside(move || client::resolve(dns, "box"));
        assert_eq!(known, Some(Ipv4Addr::new(10, 41, 1, 77)));
        // Out it gets with the host's address; in nobody gets.
        let seen = world.connect(&guest, &outside, "192.0.2.2:7000").expect("out");
        assert_eq!(seen, "192.0.2.1".parse::<IpAddr>().expect("an address"));
        outside.run("ip route add 10.41.1.0/24 via 192.0.2.1");
        assert!(world.connect(&outside, &guest, &format!("{given}:7001")).is_none());
        // Killed, it is noticed, comes again, and knows its leases.
        let pid = nix::unistd::Pid::from_raw(server.pid());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("killed");
        tokio::time::timeout(Duration::from_secs(20), server.ended()).await.expect("noticed");
        server.restart(&started.network).await.expect("again");
        assert_ne!(server.pid(), pid.as_raw());
        let again = guest.inside(move || client::lease("g1", mac, "guest1"));
        assert_eq!(again, Some(given));
        // Another daemon finds it; a new name is known without a new start.
        let mut adopted = Server::adopt(&world.places, "nat", "vbt0").expect("found");
        assert_eq!(adopted.pid(), server.pid());
        let changed = Network::parse(&NAT.replace(">box<", ">crate<")).expect("a network");
        adopted.update(&changed).await.expect("told");
        assert!(adopted.is_alive() && adopted.pid() == server.pid());
        assert!(world.soon(|| guest.inside(move || client::resolve(dns, "crate")).is_some()));
        let longer = Network::parse(&NAT.replace("10.41.1.99", "10.41.1.98")).expect("a network");
        adopted.update(&longer).await.expect("started anew");
        assert_ne!(adopted.pid(), pid.as_raw());
        adopted.stop().await;
        assert!(Server::adopt(&world.places, "nat", "vbt0").is_none());
        Nft::default().remove(&started).await.expect("removed");
        bridge::remove("vbt0").expect("removed");
        dhcp::forget(&world.places, "nat", "vbt0").expect("removed");
        assert_eq!(std::fs::read_dir(&world.places.files).expect("there").count(), 0);
    });
}

#[test]
fn an_isolated_network_and_a_routed_one() {
    alone(async |world| {
        let outside = world.outside("192.0.2.1", "192.0.2.2");
        let isolated = "<network><name>i</name><bridge name='vbi0' stp='off'/><mac address='52:54:00:42:00:01'/>\
                        <ip address='10.42.1.1' prefix='24'/></network>";
        let routed = "<network><name>r</name><forward mode='route'/><bridge name='vbr0' stp='off'/>\
                      <mac address='52:54:00:43:00:01'/><dns enable='no'/><ip address='10.43.1.1' prefix='24'/></network>";
        let (inner, server) = start(&world, isolated).await;
        server.expect("served").stop().await;
        let (route, server) = start(&world, routed).await;
        assert!(server.is_none());
        let settle = |bridge: &str, name: &str, address: &str, gateway: &str| -> Place {
            let guest = world.guest(bridge, name);
            guest.run(&format!("ip addr add {address}/24 dev {name}"));
            guest.run(&format!("ip route add default via {gateway}"));
            guest
        };
        let a = settle("vbi0", "g1", "10.42.1.2", "10.42.1.1");
        let b = settle("vbi0", "g2", "10.42.1.3", "10.42.1.1");
        let c = settle("vbr0", "g3", "10.43.1.2", "10.43.1.1");
        outside.run("ip route add default via 192.0.2.1");
        assert!(world.connect(&a, &b, "10.42.1.3:7000").is_some(), "guests of one network");
        assert!(world.connect(&a, &outside, "192.0.2.2:7001").is_none(), "out of an isolated network");
        assert!(world.connect(&outside, &a, "10.42.1.2:7002").is_none(), "into an isolated network");
        let own = world.connect(&c, &outside, "192.0.2.2:7003").expect("out of a routed network");
        assert_eq!(own, "10.43.1.2".parse::<IpAddr>().expect("an address"));
        assert!(world.connect(&outside, &c, "10.43.1.2:7004").is_some(), "into a routed network");
        assert!(world.connect(&a, &c, "10.43.1.2:7005").is_none(), "from an isolated network to a routed one");
        // Flushed by others, and put back.
        world.host.run("nft flush ruleset");
        assert!(world.connect(&a, &outside, "192.0.2.2:7006").is_some(), "nobody guards");
        Nft::default().reload(&[inner, route]).await.expect("put back");
        assert!(world.connect(&a, &outside, "192.0.2.2:7007").is_none(), "guarded again");
    });
}

#[test]
fn a_network_that_is_in_use_is_refused() {
    alone(async |world| {
        world.host.run("ip link add vbx type veth peer name vby");
        world.host.run("ip addr add 10.41.1.200/24 dev vbx");
        let network = Network::parse(NAT).expect("a network");
        // Its device is down; then up.
        for state in ["down", "up"] {
            world.host.run(&format!("ip link set vbx {state}"));
            if state == "up" {
                let refused = address::check_free(&network, "vbt0").expect_err("in use");
                assert_eq!(refused.message(), "internal error: Network is already in use by interface vbx");
            }
        }
        world.host.run("ip addr flush dev vbx");
        world.host.run("ip route add 10.41.0.0/16 dev vbx");
        address::check_free(&network, "vbt0").expect("a wider network is in nobody's way");
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    alone(async |world| {
        // On another address it is in nobody's way.
        world.host.run("ip link set lo up");
        let elsewhere = std::net::UdpSocket::bind("127.0.0.1:53").expect("bound");
        let (started, server) = start(&world, NAT).await;
        server.expect("served").stop().await;
        drop(elsewhere);
        let taken = std::net::UdpSocket::bind("10.41.1.1:53").expect("bound");
        let refused = Server::start(&world.places, &started.network, "vbt0").await.expect_err("taken");
        let me = std::process::id();
        assert!(refused.message().contains(&format!("port 53/udp on 10.41.1.1 is held by process {me}")), "{refused}");
        drop(taken);
        let taken = std::net::UdpSocket::bind("0.0.0.0:67").expect("bound");
        let refused = Server::start(&world.places, &started.network, "vbt0").await.expect_err("taken");
        assert!(refused.message().contains(&format!("port 67/udp on 0.0.0.0 is held by process {me}")), "{refused}");
        drop(taken);
        let server = Server::start(&world.places, &started.network, "vbt0").await.expect("free again");
        server.stop().await;
    });
}

#[test]
fn beside_docker_and_policies_of_others() {
    alone(async |world| {
        let outside = world.outside("192.0.2.1", "192.0.2.2");
        world.host.run("nft add table ip filter");
        world.host.run("nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'");
        let nat = NAT.replace("<dhcp>", "<!--").replace("</dhcp>", "-->").replace("<dns>", "<dns enable='no'><!--");
        let nat = nat.replace("</dns>", "--></dns>");
        let (started, server) = start(&world, &nat).await;
        assert!(server.is_none());
        let guest = world.guest("vbt0", "g1");
        guest.run("ip addr add 10.41.1.5/24 dev g1");
        guest.run("ip route add default via 10.41.1.1");
        assert!(world.connect(&guest, &outside, "192.0.2.2:7000").is_none(), "another's policy has the last word");
        world.host.run("nft add chain ip filter DOCKER-USER");
        world.host.run("nft add rule ip filter FORWARD jump DOCKER-USER");
        Nft::default().add(&started).await.expect("rules");
        assert!(world.connect(&guest, &outside, "192.0.2.2:7001").is_some(), "Docker lets others' bridges through");
        outside.run("ip route add 10.41.1.0/24 via 192.0.2.1");
        assert!(world.connect(&outside, &guest, "10.41.1.5:7002").is_none(), "and our own rules still hold");
    });
}

#[test]
fn rates_hold() {
    use virtbus_schema::network::{Bandwidth, BandwidthLimit};
    use virtnetworkd::bandwidth::{self, Guarantee};
    alone(async |world| {
        let xml = "<network><name>q</name><bridge name='vbq0' stp='off'/><mac address='52:54:00:44:00:01'/>\
                   <bandwidth><inbound average='2000' peak='4000' burst='64'/></bandwidth><dns enable='no'/>\
                   <ip address='10.44.1.1' prefix='24'/></network>";
        let network = Network::parse(xml).expect("a network");
        bridge::create(&network, "vbq0").expect("made");
        if let Err(error) = bandwidth::set_bridge(&network, "vbq0").await {
            assert!(error.message().contains("this kernel has no"), "{error}");
            return;
        }
        address::assign(&network, "vbq0").expect("addresses");
        let guest = world.guest("vbq0", "g1");
        guest.run("ip addr add 10.44.1.2/24 dev g1");
        guest.run("ip link set g1 address 52:54:00:44:00:02");
        // Eight MB at 4000 kB/s take two seconds; without a limit a moment.
        let taken = world.send(&guest, "10.44.1.2:7000", 8_000_000);
        assert!((1.2..20.0).contains(&taken.as_secs_f64()), "{taken:?}");
        // A guest with a guarantee has a class of its own.
        let mac = [0x52, 0x54, 0, 0x44, 0, 2];
        let floor = Guarantee { class: 3, mac, floor: 500, average: 1000 };
        if let Err(error) = bandwidth::guarantee(&network, "vbq0", &floor, 500).await {
            assert!(error.message().contains("this kernel has no"), "{error}");
            return;
        }
        world.send(&guest, "10.44.1.2:7001", 1_000_000);
        let shown = world.host.tell("tc -s class show dev vbq0");
        let own = shown.split("class htb ").find(|it| it.starts_with("1:3 ")).expect("its class");
        let sent = own.split("Sent ").nth(1).and_then(|it| it.split(' ').next()).and_then(|it| it.parse::<u64>().ok());
        assert!(sent.is_some_and(|sent| sent > 1_000_000), "{shown}");
        bandwidth::end_guarantee(&network, "vbq0", 3, 0).await.expect("ended");
        // One device alone, and without limits again.
        bandwidth::clear("vbq0").await.expect("cleared");
        let limit = BandwidthLimit { average: Some(1000), peak: None, floor: None, burst: None };
        let limits = Bandwidth { inbound: Some(limit), outbound: None };
        bandwidth::set_device("g1p", &limits).await.expect("set");
        let taken = world.send(&guest, "10.44.1.2:7002", 2_000_000);
        assert!((1.2..20.0).contains(&taken.as_secs_f64()), "{taken:?}");
        bandwidth::clear("g1p").await.expect("cleared");
        let freed = world.send(&guest, "10.44.1.2:7003", 2_000_000);
        assert!(freed < taken, "{freed:?}");
    });
}
