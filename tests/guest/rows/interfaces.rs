//! Network cards, by model and by what they lead to.

use crate::row::{Row, Step, check, row};

/// A card of that model that leads to QEMU's own little network, where an address is given out.
macro_rules! card {
    ($name:literal, $model:literal, $sees:expr) => {
        row(
            $name,
            concat!(
                "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='",
                $model,
                "'/></interface>"
            ),
            $sees,
        )
    };
}

const ROWS: &[Row] = &[
    card!("net-virtio", "virtio", &["net mac=52:54:00:00:00:01 driver=virtio_net ip=10.0.2.15", "pci id=1AF4:1041"]),
    card!("net-virtio-transitional", "virtio-transitional", &["net mac=52:54:00:00:00:01 driver=virtio_net", "pci id=1AF4:1000"]),
    card!("net-virtio-non-transitional", "virtio-non-transitional", &["net driver=virtio_net", "pci id=1AF4:1041"]),
    card!("net-e1000", "e1000", &["net mac=52:54:00:00:00:01 driver=e1000 ip=10.0.2.15", "pci id=8086:100E"]),
    card!("net-e1000-82544gc", "e1000-82544gc", &["net mac=52:54:00:00:00:01 driver=e1000", "pci id=8086:100C"]),
    card!("net-e1000-82545em", "e1000-82545em", &["net mac=52:54:00:00:00:01 driver=e1000", "pci id=8086:100F"]),
    card!("net-e1000e", "e1000e", &["net mac=52:54:00:00:00:01 driver=e1000e ip=10.0.2.15", "pci id=8086:10D3"]),
    card!("net-igb", "igb", &["net mac=52:54:00:00:00:01 driver=igb ip=10.0.2.15", "pci id=8086:10C9"]),
    card!("net-rtl8139", "rtl8139", &["net mac=52:54:00:00:00:01 driver=8139cp ip=10.0.2.15", "pci id=10EC:8139"]).on("pc"),
    card!("net-pcnet", "pcnet", &["net mac=52:54:00:00:00:01 driver=pcnet32 ip=10.0.2.15", "pci id=1022:2000"]).on("pc"),
    card!("net-ne2k-pci", "ne2k_pci", &["net mac=52:54:00:00:00:01 driver=ne2k-pci ip=10.0.2.15", "pci id=10EC:8029"]).on("pc"),
    card!("net-vmxnet3", "vmxnet3", &["net mac=52:54:00:00:00:01 driver=vmxnet3 ip=10.0.2.15", "pci id=15AD:07B0"]),
    card!("net-tulip", "tulip", &["net mac=52:54:00:00:00:01 driver=tulip", "pci id=1011:0019"]).on("pc"),
    card!("net-i82550", "i82550", &["net mac=52:54:00:00:00:01 driver=e100", "pci id=8086:1209"]).on("pc"),
    card!("net-i82551", "i82551", &["net mac=52:54:00:00:00:01 driver=e100", "pci id=8086:1209"]).on("pc"),
    card!("net-i82557a", "i82557a", &["net mac=52:54:00:00:00:01 driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82557b", "i82557b", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82557c", "i82557c", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82558a", "i82558a", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82558b", "i82558b", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82559a", "i82559a", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82559b", "i82559b", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82559c", "i82559c", &["net driver=e100", "pci id=8086:1229"]).on("pc"),
    card!("net-i82559er", "i82559er", &["net driver=e100", "pci id=8086:1209"]).on("pc"),
    card!("net-i82562", "i82562", &["net driver=e100", "pci id=8086:1209"]).on("pc"),
    card!("net-i82801", "i82801", &["net driver=e100", "pci id=8086:2449"]).on("pc"),
    row(
        "net-usb",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <interface type='user'><mac address='52:54:00:00:00:01'/><model type='usb-net'/></interface>",
        // QEMU tells the guest a first byte of its own.
        &["usb id=0525:a4a2 driver=cdc_ether", "net mac=40:54:00:00:00:01 driver=cdc_ether"],
    ),
    row(
        "net-unknown-model",
        "<interface type='user'><model type='no-such-card'/></interface>",
        &[],
    )
    .refused("no-such-card"),
    row(
        "net-user-with-address",
        "<interface type='user'><mac address='52:54:00:00:00:02'/><ip address='172.17.2.0' family='ipv4' prefix='24'/>\
         <model type='virtio'/></interface>",
        &["net mac=52:54:00:00:00:02 ip=172.17.2.15"],
    ),
    row(
        "net-passt",
        "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/><backend type='passt'/></interface>",
        &["net mac=52:54:00:00:00:02 carrier=1 ip=203.0.113.1"],
    )
    .domain("<description>{uplink}</description>"),
    row(
        "net-ethernet",
        "<interface type='ethernet'><mac address='52:54:00:00:00:02'/><target dev='boot-tap'/><model type='virtio'/>\
         <mtu size='1400'/></interface>",
        &["net mac=52:54:00:00:00:02 mtu=1400"],
    )
    .then(&[
        Step::Host("ip -d link show dev boot-tap", "mtu 1400"),
        Step::Host("ip link set boot-tap up; ip addr add 192.0.2.1/24 dev boot-tap 2>/dev/null; echo set", "set"),
        Step::Guest("ip addr add 192.0.2.2/24 dev eth0; ping -c 1 -W 2 192.0.2.1", "1 packets received"),
    ]),
    row(
        "net-queues",
        "<interface type='ethernet'><mac address='52:54:00:00:00:02'/><model type='virtio'/>\
         <driver name='qemu' queues='2' rx_queue_size='512' tx_queue_size='256'/></interface>",
        &["net mac=52:54:00:00:00:02 queues=2"],
    )
    .domain("<vcpu>2</vcpu>"),
    row(
        "net-link-down",
        "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/><link state='down'/></interface>",
        &["net mac=52:54:00:00:00:02 carrier=0"],
    )
    .then(&[
        Step::Virsh("dumpxml net-link-down --xpath //interface/link", "state=\"down\""),
        Step::Monitor("set_link net0 on", ""),
        Step::Guest("look net", "carrier=1"),
    ]),
    row(
        "net-without-rom",
        "<interface type='user'><model type='e1000'/><rom enabled='no'/></interface>\
         <interface type='user'><model type='rtl8139'/><rom bar='off'/></interface>",
        &["net driver=e1000", "net driver=8139cp"],
    )
    .on("pc")
    .then(&[Step::Guest("ls /sys/bus/pci/devices/*/rom; echo listed", "listed")]),
    row(
        "net-mcast",
        "<interface type='mcast'><mac address='52:54:00:00:00:02'/><source address='230.0.0.1' port='5558'/>\
         <model type='virtio'/></interface>",
        &["net mac=52:54:00:00:00:02 carrier=1"],
    )
    .domain("<description>{uplink}</description>"),
    row(
        "net-server-and-client",
        "<interface type='server'><mac address='52:54:00:00:00:02'/><source address='127.0.0.1' port='5559'/>\
         <model type='virtio'/></interface>\
         <interface type='client'><mac address='52:54:00:00:00:03'/><source address='127.0.0.1' port='5559'/>\
         <model type='virtio'/></interface>",
        &["net mac=52:54:00:00:00:02 carrier=1", "net mac=52:54:00:00:00:03 carrier=1"],
    ),
    row(
        "net-udp",
        "<interface type='udp'><mac address='52:54:00:00:00:02'/><source address='127.0.0.1' port='5561'>\
         <local address='127.0.0.1' port='5560'/></source><model type='virtio'/></interface>",
        &["net mac=52:54:00:00:00:02 carrier=1"],
    )
    .then(&[Step::Host("ss -uan", "127.0.0.1:5560")]),
    row("net-null", "<interface type='null'><model type='virtio'/></interface>", &[]).refused("'null'"),
    row(
        "net-vhostuser-server",
        "<interface type='vhostuser'><mac address='52:54:00:00:00:02'/><source type='unix' path='{dir}/absent.sock' mode='client'/>\
         <model type='virtio'/></interface>",
        &[],
    )
    .domain("<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>")
    .refused("absent.sock"),
    row("net-bridge-absent", "<interface type='bridge'><source bridge='no-such-br'/><model type='virtio'/></interface>", &[])
        .refused("no-such-br"),
    row("net-network-absent", "<interface type='network'><source network='no-such'/><model type='virtio'/></interface>", &[])
        .refused("no-such"),
    row("net-vdpa-absent", "<interface type='vdpa'><source dev='/dev/vhost-vdpa-9'/></interface>", &[]).refused("vhost-vdpa-9"),
];

#[test]
fn interfaces() {
    check(ROWS);
}
