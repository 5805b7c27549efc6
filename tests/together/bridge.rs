//! A card on a bridge of the host's own: the tap is a port of it while the guest lives, and gone afterwards.

use virtbus_tests::world::{Door, World};

#[test]
fn a_card_is_a_port_of_the_hosts_bridge() {
    let world = World::start();
    let said = |args: &[&str]| {
        let out = world.stack.inside("ip").args(args).output().unwrap();
        assert!(out.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    said(&["link", "add", "br7", "type", "bridge"]);
    said(&["link", "set", "br7", "up", "mtu", "1400"]);
    let card = "<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='br7'/>\
        <target dev='guest7'/><model type='virtio'/><bandwidth><inbound average='100'/></bandwidth></interface>";
    world.write("card.xml", &world.domain("card", card));
    world.virsh(Door::Proxy, &["define", "card.xml"]);
    world.virsh(Door::Proxy, &["start", "card", "--paused"]);
    let port = said(&["-d", "link", "show", "dev", "guest7"]);
    assert!(port.contains("master br7") && port.contains("mtu 1400") && port.contains("fe:54:00:00:00:07"), "{port}");
    assert!(port.contains("qdisc htb"), "{port}");
    assert!(world.virsh(Door::Direct, &["domiflist", "card"]).contains("guest7"));
    world.virsh(Door::Direct, &["destroy", "card"]);
    let left = said(&["-o", "link"]);
    assert!(!left.contains("guest7"), "{left}");
    world.virsh(Door::Direct, &["undefine", "card"]);
    world.write("card.xml", &world.domain("card", &card.replace("br7", "nobridge")));
    world.virsh(Door::Proxy, &["define", "card.xml"]);
    let why = world.try_virsh(Door::Proxy, &["start", "card"]).unwrap_err();
    assert!(why.contains("nobridge"), "{why}");
}
