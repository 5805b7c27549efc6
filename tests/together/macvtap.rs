//! Cards upon a device of the host's, by name and from a network's pool: the guest is on the wire, and leaves nothing behind.
//!
//! The wire is a pair of devices; what answers at its other end is the host.

use std::time::{Duration, Instant};

use virtbus_tests::world::{Door, World};
use xtask::console::Console;

/// How long an emulated guest may take to boot.
const BOOT: Duration = Duration::from_secs(240);
/// And to answer.
const SOON: Duration = Duration::from_secs(120);

/// A wire `lower`-`far`, the far end with an address.
fn wire(world: &World, lower: &str, far: &str, address: &str) {
    ip(world, &["link", "add", "name", lower, "type", "veth", "peer", "name", far]);
    ip(world, &["addr", "add", address, "dev", far]);
    for end in [lower, far] {
        ip(world, &["link", "set", end, "up"]);
    }
}

fn ip(world: &World, args: &[&str]) -> String {
    let out = world.stack.inside("ip").args(args).output().unwrap();
    assert!(out.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn mac_of(world: &World, device: &str) -> String {
    let said = ip(world, &["-o", "link", "show", "dev", device]);
    said.split_whitespace().skip_while(|it| *it != "link/ether").nth(1).unwrap().to_owned()
}

/// No device of a guest's is left.
#[track_caller]
fn expect_nothing_left(world: &World) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let links = ip(world, &["-o", "link"]);
        if !links.contains("tap") {
            return;
        }
        assert!(Instant::now() < end, "{links}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The guest's console, once it has booted, with its first card at an address of the wire.
fn reaches(world: &World, domain: &str, address: &str, far: &str) {
    let mut console = Console::open(&world.stack, &world.stack.uri("libvirt-sock"), domain, "--force").unwrap();
    console.prompt(BOOT).unwrap();
    console.command(&format!("ip addr add {address} dev eth0; ip link set eth0 up"), SOON).unwrap();
    let ping = format!("ping -c 5 -w 60 {far} >/dev/null 2>&1 && echo rea''ched || echo lo''st");
    let told = console.command(&ping, SOON).unwrap();
    assert!(told.contains("reached"), "{domain} does not reach {far}: {told}");
}

fn define(world: &World, name: &str, devices: &str) {
    let file = format!("{name}.xml");
    world.write(&file, &world.domain(name, devices));
    world.virsh(Door::Proxy, &["define", &file]);
}

#[test]
fn guests_are_on_the_wire_of_a_network_that_is_a_pool() {
    let mut world = World::start();
    wire(&world, "up0", "far0", "10.7.0.1/24");
    wire(&world, "up1", "far1", "10.7.1.1/24");
    let pool = "<network><name>pool</name><forward mode='bridge'><interface dev='up0'/><interface dev='up1'/></forward></network>";
    world.write("pool.xml", pool);
    world.virsh(Door::Proxy, &["net-define", "pool.xml"]);
    world.virsh(Door::Proxy, &["net-start", "pool"]);
    let card = |number: u32| {
        format!(
            "<interface type='network'><mac address='52:54:00:07:00:0{number}'/><source network='pool'/>\
             <model type='virtio'/></interface>"
        )
    };
    define(&world, "wired", &format!("{}{}", card(1), card(2)));
    world.virsh(Door::Proxy, &["start", "wired", "--paused"]);
    // Nothing on the wire hears of a guest that does not run.
    assert!(ip(&world, &["link", "show", "macvtap0"]).contains("state DOWN"));
    world.virsh(Door::Proxy, &["resume", "wired"]);

    let live = world.virsh(Door::Proxy, &["dumpxml", "wired"]);
    for part in ["type='direct'>", "dev='up0' mode='bridge'", "dev='up1' mode='bridge'", "<target dev='macvtap0'/>"] {
        assert!(live.contains(part), "{part}: {live}");
    }
    assert!(!world.virsh(Door::Proxy, &["dumpxml", "--inactive", "wired"]).contains("macvtap"));
    let network = world.virsh(Door::Proxy, &["net-dumpxml", "pool"]);
    assert!(network.contains("<network connections='2'>"), "{network}");
    assert_eq!(network.matches("connections='1'").count(), 2, "{network}");
    let device = ip(&world, &["-d", "link", "show", "macvtap0"]);
    assert!(device.contains("macvtap mode bridge") && device.contains(",UP"), "{device}");
    assert_eq!(mac_of(&world, "macvtap0"), "52:54:00:07:00:01");
    reaches(&world, "wired", "10.7.0.2/24", "10.7.0.1");

    // A daemon that is killed takes its guest over again, with its devices and its ports.
    world.stack.service("virtqemud").unwrap().kill().unwrap();
    world.stack.start_daemon("virtqemud").unwrap();
    let again = world.virsh(Door::Proxy, &["dumpxml", "wired"]);
    assert!(again.contains("<source network='pool' portid="), "{again}");
    assert!(world.virsh(Door::Proxy, &["domiflist", "wired"]).contains("macvtap1"));
    world.virsh(Door::Proxy, &["destroy", "wired"]);
    expect_nothing_left(&world);
    assert!(!world.virsh(Door::Proxy, &["net-dumpxml", "pool"]).contains("connections"));
}

#[test]
fn a_guest_that_has_the_hardware_alone() {
    let mut world = World::start();
    wire(&world, "up0", "far0", "10.7.0.1/24");
    let own = mac_of(&world, "up0");
    world.write(
        "alone.xml",
        "<network><name>alone</name><forward mode='passthrough'><interface dev='up0'/></forward></network>",
    );
    world.virsh(Door::Proxy, &["net-define", "alone.xml"]);
    world.virsh(Door::Proxy, &["net-start", "alone"]);
    let card = |number: u32| {
        format!(
            "<interface type='network'><mac address='52:54:00:07:01:0{number}'/><source network='alone'/>\
             <model type='virtio'/><driver queues='2'/></interface>"
        )
    };
    define(&world, "one", &card(1));
    define(&world, "two", &card(2));
    world.virsh(Door::Proxy, &["start", "one"]);
    assert_eq!(mac_of(&world, "up0"), "52:54:00:07:01:01");
    let why = world.try_virsh(Door::Proxy, &["start", "two"]).unwrap_err();
    assert!(why.contains("network 'alone' requires exclusive access to interfaces, but none are available"), "{why}");
    // Past the pool, by name: refused, and the first guest's hardware stays as it is.
    define(&world, "three", "<interface type='direct'><source dev='up0' mode='passthrough'/></interface>");
    let why = world.try_virsh(Door::Proxy, &["start", "three"]).unwrap_err();
    assert!(why.contains("up0 for itself, and 'macvtap0' is upon it"), "{why}");
    assert_eq!(mac_of(&world, "up0"), "52:54:00:07:01:01");
    reaches(&world, "one", "10.7.0.2/24", "10.7.0.1");

    // It ends while no daemon runs: the next one takes away what it had, and the hardware has its address again.
    world.stack.service("virtqemud").unwrap().kill().unwrap();
    xtask::processes::end(world.stack.root(), &["qemu-"]).unwrap();
    assert!(ip(&world, &["-o", "link"]).contains("macvtap0"));
    world.stack.start_daemon("virtqemud").unwrap();
    expect_nothing_left(&world);
    let end = Instant::now() + Duration::from_secs(30);
    while mac_of(&world, "up0") != own {
        assert!(Instant::now() < end, "{}", world.stack.log("virtqemud"));
        std::thread::sleep(Duration::from_millis(50));
    }
    world.virsh(Door::Proxy, &["start", "two"]);
    world.virsh(Door::Proxy, &["destroy", "two"]);
    expect_nothing_left(&world);
}

#[test]
fn every_mode_and_every_way_to_fail() {
    let world = World::start();
    wire(&world, "up0", "far0", "10.7.0.1/24");
    let card = |mode: &str, more: &str| {
        format!("<interface type='direct'><source dev='up0' mode='{mode}'/>{more}<model type='virtio'/></interface>")
    };
    define(&world, "modes", &[card("vepa", ""), card("private", "<target dev='own'/>"), card("bridge", "")].concat());
    world.virsh(Door::Direct, &["start", "modes", "--paused"]);
    for (device, mode) in [("macvtap0", "vepa"), ("own", "private"), ("macvtap1", "bridge")] {
        assert!(ip(&world, &["-d", "link", "show", device]).contains(&format!("macvtap mode {mode}")), "{device}");
    }
    world.virsh(Door::Direct, &["destroy", "modes"]);
    expect_nothing_left(&world);
    let left = ip(&world, &["-o", "link"]);
    assert!(!left.contains("own@"), "{left}");

    let refused = [
        ("<interface type='direct'><source dev='nodev'/></interface>", "Unable to get index for interface nodev"),
        ("<interface type='direct'><source dev='up0'/><target dev='far0'/></interface>", "far0@up0"),
        (
            "<interface type='direct'><source dev='up0'/><vlan><tag id='5'/></vlan></interface>",
            "vlan tag not supported",
        ),
        (
            "<interface type='direct'><source dev='up0' mode='passthrough'/><vlan><tag id='5'/></vlan></interface>",
            "up0 is not a VF",
        ),
    ];
    for (number, (devices, words)) in refused.iter().enumerate() {
        let name = format!("refused{number}");
        // What was made before the card that fails goes too.
        define(&world, &name, &format!("{}{devices}", card("bridge", "")));
        let why = world.try_virsh(Door::Direct, &["start", &name]).unwrap_err();
        assert!(why.contains(words), "{why}");
        expect_nothing_left(&world);
    }
}
