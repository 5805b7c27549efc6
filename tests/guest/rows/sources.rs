//! Disks, by where their bytes come from and in which form.

use crate::row::{Row, Step, check, row};

const HOLDS: &str = "virtbus-disk";
const READ: &[Step] = &[Step::Guest("head -qc 12 /dev/vda", HOLDS)];

const ROWS: &[Row] = &[
    row(
        "source-block",
        "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{loop}'/><target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(READ),
    row(
        "source-block-lun",
        "<controller type='scsi' index='0' model='virtio-scsi'/>\
         <disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='{loop}'/><target dev='sda' bus='scsi'/></disk>",
        &[],
    )
    .refused("scsi-block"),
    row(
        "source-directory",
        "<disk type='dir' device='disk'><driver name='qemu' type='fat'/><source dir='{shared}'/><target dev='vda' bus='virtio'/>\
         <readonly/></disk>",
        &["disk vda ro=1"],
    )
    .then(&[Step::Guest("head -c 4194304 /dev/vda1 | grep -ao 'hello from the host'", "host\r")]),
    row(
        "source-volume",
        "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='{pool}' volume='disk'/>\
         <target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    ),
    row(
        "source-nbd-tcp",
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='disk'>\
         <host name='127.0.0.1' port='{nbdport}'/></source><target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(READ),
    row(
        "source-nbd-unix",
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd'>\
         <host transport='unix' socket='{nbdsocket}'/></source><target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(READ),
    row(
        "source-vhostuser",
        "<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' path='{vhostdisk}'/>\
         <target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .domain("<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>")
    .then(READ),
    // Debian has these in a package of their own, qemu-block-extra.
    row(
        "source-https",
        "<disk type='network' device='cdrom'><driver name='qemu' type='raw'/><source protocol='https' name='cd.iso'>\
         <host name='127.0.0.1' port='20009'/></source><target dev='sda' bus='sata'/><readonly/></disk>",
        &[],
    )
    .refused("https"),
    row(
        "source-ssh",
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='ssh' name='disk'>\
         <host name='127.0.0.1' port='20009'/></source><target dev='vda' bus='virtio'/></disk>",
        &[],
    )
    .refused("ssh"),
    row(
        "source-iscsi",
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='iscsi' name='iqn.2026-11.test:x/1'>\
         <host name='127.0.0.1' port='20009'/></source><target dev='vda' bus='virtio'/></disk>",
        &[],
    )
    .refused("iscsi"),
    row(
        "source-rbd",
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='rbd' name='pool/image'>\
         <host name='127.0.0.1' port='20009'/></source><target dev='vda' bus='virtio'/></disk>",
        &[],
    )
    .refused("rbd"),
    row(
        "source-nvme-absent",
        "<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='1'>\
         <address domain='0x0000' bus='0x7f' slot='0x1f' function='0x0'/></source><target dev='vda' bus='virtio'/></disk>",
        &[],
    )
    .refused("7f:1f.0"),
    row(
        "source-file-absent",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{dir}/absent'/>\
         <target dev='vda' bus='virtio'/></disk>",
        &[],
    )
    .refused("/absent"),
    row(
        "source-file-optional",
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{dir}/absent' startupPolicy='optional'/>\
         <target dev='sda' bus='sata'/><readonly/></disk>",
        &["disk sr0 removable=1"],
    )
    .changed(),
    row(
        "format-qcow2",
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'><metadata_cache>\
         <max_size unit='bytes'>1048576</max_size></metadata_cache></driver><source file='{qcow2}'/>\
         <target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(READ),
    row(
        "format-backing-chain",
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{overlay}'/>\
         <target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(&[
        Step::Guest("head -qc 12 /dev/vda", HOLDS),
        Step::Virsh("dumpxml format-backing-chain --xpath //backingStore/source/@file", "base.raw"),
        Step::Guest("echo changed-now | dd of=/dev/vda conv=notrunc 2>&1; sync; head -c 11 /dev/vda", "changed-now"),
        Step::Host("head -c 12 {base}", HOLDS),
    ]),
    row(
        "format-luks",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{luks}'><encryption format='luks'>\
         <secret type='passphrase' uuid='{secret}'/></encryption></source><target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(&[
        Step::Guest("echo plain-text | dd of=/dev/vda conv=notrunc 2>&1; sync; head -c 10 /dev/vda", "plain-text"),
        Step::Host("grep -c plain-text {luks}", "0"),
    ]),
    row(
        "format-qcow2-luks",
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{encrypted}'><encryption format='luks'>\
         <secret type='passphrase' uuid='{secret}'/></encryption></source><target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(&[
        Step::Guest("echo plain-text | dd of=/dev/vda conv=notrunc 2>&1; sync; head -c 10 /dev/vda", "plain-text"),
        Step::Host("grep -c plain-text {encrypted}", "0"),
    ]),
    row(
        "format-slices",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'><slices>\
         <slice type='storage' offset='1048576' size='2097152'/></slices></source><target dev='vda' bus='virtio'/></disk>",
        &["disk vda bytes=2097152"],
    ),
];

#[test]
fn sources() {
    check(ROWS);
}
