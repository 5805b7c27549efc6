//! Controllers: USB hosts, PCI bridges and ports, and what other buses hang from.

use crate::row::{Row, Step, check, row};

/// A USB controller with a tablet on it.
macro_rules! usb {
    ($name:literal, $model:literal, $pci:literal) => {
        row(
            $name,
            concat!("<controller type='usb' index='0' model='", $model, "'/><input type='tablet' bus='usb'/>"),
            &[concat!("pci id=", $pci), "usb id=0627:0001 driver=usbhid"],
        )
    };
}

const ROWS: &[Row] = &[
    usb!("usb-piix3-uhci", "piix3-uhci", "8086:7020").on("pc"),
    usb!("usb-piix4-uhci", "piix4-uhci", "8086:7112").on("pc"),
    usb!("usb-vt82c686b-uhci", "vt82c686b-uhci", "1106:3038").on("pc").refused("'vt82c686b-uhci'"),
    usb!("usb-ehci", "ehci", "8086:24CD"),
    // One that accompanies nobody.
    usb!("usb-ich9-uhci1", "ich9-uhci1", "8086:2934").refused("companions"),
    usb!("usb-pci-ohci", "pci-ohci", "106B:003F"),
    usb!("usb-nec-xhci", "nec-xhci", "1033:0194"),
    usb!("usb-qemu-xhci", "qemu-xhci", "1B36:000D"),
    // A guest looks at the other functions of a slot only when there is the first, so the rest come together.
    row(
        "usb-ich9-companions",
        "<controller type='usb' index='0' model='ich9-ehci1'><address type='pci' domain='0x0000' bus='0x00' slot='0x1d' \
         function='0x7'/></controller>\
         <controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/><address type='pci' domain='0x0000' \
         bus='0x00' slot='0x1d' function='0x0' multifunction='on'/></controller>\
         <controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/><address type='pci' domain='0x0000' \
         bus='0x00' slot='0x1d' function='0x1'/></controller>\
         <controller type='usb' index='0' model='ich9-uhci3'><master startport='4'/><address type='pci' domain='0x0000' \
         bus='0x00' slot='0x1d' function='0x2'/></controller><input type='tablet' bus='usb'/>",
        &[
            "pci 0000:00:1d.0 id=8086:2934",
            "pci 0000:00:1d.1 id=8086:2935",
            "pci 0000:00:1d.2 id=8086:2936",
            "pci 0000:00:1d.7 id=8086:293A",
            "usb id=0627:0001",
        ],
    ),
    row(
        "usb-ports-of-xhci",
        "<controller type='usb' index='0' model='qemu-xhci' ports='8'/>\
         <input type='mouse' bus='usb'><address type='usb' bus='0' port='7'/></input>",
        &["usb maxchild=8", "usb usb1", "usb id=0627:0001"],
    ),
    row("usb-none", "<controller type='usb' index='0' model='none'/>", &["!usb id=1d6b:0002"]),
    row(
        "usb-hub",
        "<controller type='usb' index='0' model='piix3-uhci'/><hub type='usb'><address type='usb' bus='0' port='1'/></hub>\
         <input type='tablet' bus='usb'><address type='usb' bus='0' port='1.2'/></input>",
        &["usb 1-1 id=0409:55aa maxchild=8", "usb 1-1.2 id=0627:0001"],
    )
    .on("pc"),
    row(
        "pci-bridge",
        "<controller type='pci' index='1' model='pci-bridge'/>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' domain='0x0000' bus='0x01' \
         slot='0x03' function='0x0'/></rng>",
        &["pci id=1B36:0001", "pci 0000:01:03.0 id=1AF4:1005"],
    )
    .on("pc"),
    row(
        "pcie-root-port",
        "<controller type='pci' index='1' model='pcie-root-port'><model name='pcie-root-port'/>\
         <target chassis='5' port='0x10' hotplug='off'/></controller>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' domain='0x0000' bus='0x01' \
         slot='0x00' function='0x0'/></rng>",
        &["pci id=1B36:000C driver=pcieport", "pci 0000:01:00.0 id=1AF4:1044"],
    ),
    row(
        "pcie-root-port-ioh3420",
        "<controller type='pci' index='1' model='pcie-root-port'><model name='ioh3420'/></controller>",
        &["pci id=8086:3420 driver=pcieport"],
    ),
    row(
        "pcie-switch",
        "<controller type='pci' index='1' model='pcie-root-port'/>\
         <controller type='pci' index='2' model='pcie-switch-upstream-port'/>\
         <controller type='pci' index='3' model='pcie-switch-downstream-port'/>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' domain='0x0000' bus='0x03' \
         slot='0x00' function='0x0'/></rng>",
        &["pci id=104C:8232 driver=pcieport", "pci id=104C:8233 driver=pcieport", "pci id=1AF4:1044"],
    ),
    row(
        "pcie-to-pci-bridge",
        "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-to-pci-bridge'/>\
         <interface type='user'><model type='e1000'/></interface>",
        &["pci id=1B36:000E", "net driver=e1000"],
    ),
    row(
        "dmi-to-pci-bridge",
        "<controller type='pci' index='1' model='dmi-to-pci-bridge'/><controller type='pci' index='2' model='pci-bridge'/>\
         <interface type='user'><model type='e1000'/></interface>",
        &["pci id=8086:244E", "pci id=1B36:0001", "net driver=e1000"],
    ),
    row(
        "pci-expander-bus",
        "<controller type='pci' index='1' model='pci-expander-bus'><target busNr='128'><node>1</node></target></controller>\
         <controller type='pci' index='2' model='pci-bridge'><address type='pci' domain='0x0000' bus='0x01' slot='0x00' \
         function='0x0'/></controller>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' domain='0x0000' bus='0x02' \
         slot='0x01' function='0x0'/></rng>",
        &["pci 0000:80:00.0 id=1B36:0001 node=1", "pci id=1AF4:1005 node=1"],
    )
    .on("pc")
    .domain(
        "<vcpu>2</vcpu><cpu mode='custom' match='exact'><model>qemu64</model><numa><cell id='0' cpus='0' memory='98304'/>\
         <cell id='1' cpus='1' memory='98304'/></numa></cpu>",
    ),
    row(
        "pcie-expander-bus",
        "<controller type='pci' index='1' model='pcie-expander-bus'><target busNr='128'><node>1</node></target></controller>\
         <controller type='pci' index='2' model='pcie-root-port'><address type='pci' domain='0x0000' bus='0x01' slot='0x00' \
         function='0x0'/></controller>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend><address type='pci' domain='0x0000' bus='0x02' \
         slot='0x00' function='0x0'/></rng>",
        &["pci 0000:80:00.0 id=1B36:000C node=1", "pci 0000:81:00.0 id=1AF4:1044 node=1"],
    )
    .domain(
        "<vcpu>2</vcpu><cpu mode='custom' match='exact'><model>qemu64</model><numa><cell id='0' cpus='0' memory='98304'/>\
         <cell id='1' cpus='1' memory='98304'/></numa></cpu>",
    ),
    row(
        "pcihole64",
        "<controller type='pci' index='0' model='pcie-root'><pcihole64 unit='KiB'>33554432</pcihole64></controller>",
        &["pci id=8086:29C0"],
    ),
    row(
        "virtio-serial",
        "<controller type='virtio-serial' index='0' ports='4' vectors='4'/>\
         <channel type='unix'><target type='virtio' name='org.test.one'/></channel>",
        &["virtio driver=virtio_console", "port vport0p1 org.test.one"],
    ),
    row("sata", "<controller type='sata' index='1'/>", &["pci 0000:00:1f.2 id=8086:2922", "pci id=8086:2922 driver=ahci"])
        .then(&[Step::Guest("grep -l 0x2922 /sys/bus/pci/devices/*/device | wc -l", "2")]),
    row("sata-on-pc", "<controller type='sata' index='0'/>", &["pci id=8086:2922 driver=ahci"]).on("pc"),
    row("ccid", "<controller type='usb' index='0' model='qemu-xhci'/><controller type='ccid' index='0'/>", &["usb id=08e6:4433"]),
    row(
        "scsi-virtio-transitional",
        "<controller type='scsi' index='0' model='virtio-transitional'/>",
        &["pci id=1AF4:1004 driver=virtio-pci", "virtio driver=virtio_scsi"],
    ),
    row(
        "scsi-iothread",
        "<controller type='scsi' index='0' model='virtio-scsi'><driver iothread='1' queues='2' max_sectors='512'/></controller>",
        &["virtio driver=virtio_scsi"],
    )
    .domain("<vcpu>2</vcpu><iothreads>1</iothreads>")
    .then(&[Step::Guest("cat /sys/class/scsi_host/host*/cmd_per_lun; ls /sys/class/scsi_host", "host")]),
    row("scsi-buslogic", "<controller type='scsi' index='0' model='buslogic'/>", &[]).refused("buslogic"),
    row("isa-controller", "<controller type='isa' index='0'/>", &[]).refused("connect flags"),
    row("xenbus", "<controller type='xenbus' index='0'/>", &[]).refused("connect flags"),
];

#[test]
fn controllers() {
    check(ROWS);
}
