//! Disks, by the bus they sit on and by what the guest is told about them.

use crate::row::{Row, Step, check, row};

const HOLDS: &str = "virtbus-disk";

const ROWS: &[Row] = &[
    row(
        "disk-virtio",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/>\
         <target dev='vda' bus='virtio'/><serial>VIRTBUS-1</serial></disk>",
        &["disk vda bytes=8388608 serial=VIRTBUS-1 ro=0 logical_block_size=512", "virtio driver=virtio_blk modern"],
    )
    .then(&[Step::Guest("head -qc 12 /dev/vda", HOLDS)]),
    row(
        "disk-virtio-transitional",
        "<disk type='file' device='disk' model='virtio-transitional'><driver name='qemu' type='raw'/><source file='{raw}'/>\
         <target dev='vda' bus='virtio'/></disk>",
        &["pci id=1AF4:1001 driver=virtio-pci", "disk vda bytes=8388608"],
    ),
    row(
        "disk-virtio-non-transitional",
        "<disk type='file' device='disk' model='virtio-non-transitional'><driver name='qemu' type='raw'/>\
         <source file='{raw}'/><target dev='vda' bus='virtio'/></disk>",
        &["pci id=1AF4:1042 driver=virtio-pci", "disk vda bytes=8388608"],
    ),
    row(
        "disk-queues-and-iothread",
        "<disk type='file' device='disk'><driver name='qemu' type='raw' iothread='1' queues='2' queue_size='128' packed='on'/>\
         <source file='{raw}'/><target dev='vda' bus='virtio'/></disk>",
        &["disk vda queues=2", "virtio driver=virtio_blk packed"],
    )
    .domain("<vcpu>2</vcpu><iothreads>1</iothreads>")
    .then(&[Step::Monitor("info iothreads", "iothread1")]),
    row(
        "disk-blockio",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <blockio logical_block_size='4096' physical_block_size='4096' discard_granularity='65536'/></disk>",
        &["disk vda logical_block_size=4096 physical_block_size=4096"],
    ),
    row(
        "disk-discard",
        "<disk type='file' device='disk'><driver name='qemu' type='raw' discard='unmap' detect_zeroes='unmap'/>\
         <source file='{raw}'/><target dev='vda' bus='virtio'/></disk>",
        &["disk vda discard_granularity=512"],
    )
    .then(&[
        Step::Guest("dd if=/dev/urandom of=/dev/vda bs=64k seek=16 count=64 2>&1; sync; echo is-written", "is-written"),
        Step::Guest("dd if=/dev/zero of=/dev/vda bs=64k seek=16 count=64 2>&1; sync; echo is-zeroed", "is-zeroed"),
        Step::Host("test $(stat -c %b {raw}) -lt 2048 && echo sparse again", "sparse again"),
    ]),
    row(
        "disk-cache-modes",
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' io='native' error_policy='stop'/>\
         <source file='{raw}'/><target dev='vda' bus='virtio'/></disk>\
         <disk type='file' device='disk'><driver name='qemu' type='raw' cache='writethrough' io='threads'/>\
         <source file='{second}'/><target dev='vdb' bus='virtio'/></disk>",
        &["disk vda bytes=8388608", "disk vdb bytes=8388608"],
    )
    .then(&[Step::Guest("cat /sys/block/vdb/queue/write_cache", "write through")]),
    row(
        "disk-readonly",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <readonly/></disk>",
        &["disk vda ro=1"],
    ),
    row(
        "disk-shareable",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <shareable/></disk>",
        &["disk vda ro=0"],
    ),
    row(
        "disk-scsi-virtio",
        "<controller type='scsi' index='0' model='virtio-scsi'><driver queues='2' cmd_per_lun='64'/></controller>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi' \
         rotation_rate='1'/><serial>VIRTBUS-2</serial><wwn>5000c50015ea71aa</wwn><vendor>VIRTBUS</vendor>\
         <product>DISKETTE</product></disk>",
        &[
            "virtio driver=virtio_scsi",
            "disk sda bytes=8388608 vendor=VIRTBUS model=DISKETTE unit=VIRTBUS-2 rotational=0 wwid=naa.5000c50015ea71aa",
        ],
    )
    .domain("<vcpu>2</vcpu>"),
    row(
        "disk-scsi-lsilogic",
        "<controller type='scsi' index='0' model='lsilogic'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &["pci id=1000:0012 driver=sym53c8xx", "disk sda bytes=8388608 model=QEMU_HARDDISK"],
    ),
    row(
        "disk-scsi-megasas",
        "<controller type='scsi' index='0' model='lsisas1078'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &["pci id=1000:0060 driver=megaraid_sas", "disk sda bytes=8388608"],
    ),
    row(
        "disk-scsi-mptsas",
        "<controller type='scsi' index='0' model='lsisas1068'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &["pci id=1000:0054 driver=mptsas"],
    ),
    row(
        "disk-scsi-pvscsi",
        "<controller type='scsi' index='0' model='vmpvscsi'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &["pci id=15AD:07C0 driver=vmw_pvscsi", "disk sda bytes=8388608"],
    ),
    row(
        "disk-scsi-am53c974",
        "<controller type='scsi' index='0' model='am53c974'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &["pci id=1022:2020 driver=am53c974", "disk sda bytes=8388608"],
    )
    .on("pc"),
    row(
        "disk-scsi-dc390",
        "<controller type='scsi' index='0' model='dc390'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &["pci id=1022:2020 driver=am53c974", "disk sda bytes=8388608"],
    )
    .on("pc"),
    row(
        "disk-scsi-cdrom",
        "<controller type='scsi' index='0' model='virtio-scsi'/>\
         <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{raw}'/>\
         <target dev='sda' bus='scsi'/><readonly/></disk>",
        &["disk sr0 bytes=8388608 removable=1 model=QEMU_CD-ROM"],
    ),
    row(
        "disk-ide",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='hda' bus='ide'/>\
         <geometry cyls='16' heads='16' secs='63' trans='lba'/><serial>VIRTBUS-3</serial></disk>",
        &["pci id=8086:7010 driver=ata_piix", "disk sda bytes=8388608 model=QEMU_HARDDISK unit=VIRTBUS-3"],
    )
    .on("pc"),
    row(
        "disk-ide-cdrom",
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='hdc' bus='ide'/>\
         <readonly/></disk>",
        &["disk sr0 bytes=8388608 removable=1 model=QEMU_DVD-ROM"],
    )
    .on("pc"),
    row(
        "disk-ide-cdrom-empty",
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hdc' bus='ide'/><readonly/></disk>",
        &["disk sr0 removable=1"],
    )
    .on("pc"),
    row(
        "disk-sata",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='sata'/>\
         <serial>VIRTBUS-4</serial><wwn>5000c50015ea71ab</wwn></disk>",
        &["pci id=8086:2922 driver=ahci", "disk sda bytes=8388608 unit=VIRTBUS-4 wwid=naa.5000c50015ea71ab"],
    ),
    row(
        "disk-sata-cdrom",
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='sata'/>\
         <readonly/></disk>",
        &["disk sr0 bytes=8388608 model=QEMU_DVD-ROM"],
    ),
    row(
        "disk-usb",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='usb' \
         removable='on'/><serial>VIRTBUS-5</serial></disk>",
        &["usb id=46f4:0001 driver=usb-storage serial=VIRTBUS-5", "disk sda bytes=8388608 removable=1 on=usb"],
    ),
    row(
        "disk-usb-cdrom",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='usb'/>\
         <readonly/></disk>",
        &["disk sda bytes=8388608 ro=1 on=usb"],
    ),
    row(
        "disk-fdc",
        "<disk type='file' device='floppy'><driver name='qemu' type='raw'/><source file='{floppy}'/><target dev='fda' bus='fdc'/></disk>",
        &["disk fd0"],
    )
    .on("pc")
    .then(&[Step::Guest("head -qc 12 /dev/fd0", HOLDS)]),
    row(
        "disk-fdc-q35",
        "<disk type='file' device='floppy'><driver name='qemu' type='raw'/><source file='{floppy}'/><target dev='fda' bus='fdc'/></disk>",
        &["disk fd0"],
    )
    .then(&[Step::Guest("head -qc 12 /dev/fd0", HOLDS)]),
    row(
        "disk-sd",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='sd'/></disk>",
        &[],
    )
    .refused("sd"),
    row(
        "disk-lun-of-a-file",
        "<controller type='scsi' index='0' model='virtio-scsi'/>\
         <disk type='file' device='lun'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='sda' bus='scsi'/></disk>",
        &[],
    )
    .refused("'lun'"),
    row(
        "disk-boot-order",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <boot order='2' loadparm='2'/></disk>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{second}'/><target dev='vdb' bus='virtio'/>\
         <boot order='1'/></disk>",
        &["disk vda bytes=8388608", "disk vdb bytes=8388608"],
    )
    .then(&[Step::Guest("tr '\\0' '\\n' </sys/firmware/qemu_fw_cfg/by_name/bootorder/raw | sed -n 2p", "pci-bridge@1,1/scsi@0/disk@0")]),
    row(
        "disk-throttled",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <iotune><total_bytes_sec>10485760</total_bytes_sec><total_iops_sec>1000</total_iops_sec></iotune></disk>",
        &["disk vda bytes=8388608"],
    )
    .then(&[Step::Monitor("info block", "iops=1000")]),
    row(
        "disk-transient",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <transient/></disk>",
        &["disk vda bytes=8388608"],
    )
    .changed()
    .then(&[
        Step::Guest("echo changed-now | dd of=/dev/vda conv=notrunc 2>&1; sync; head -c 11 /dev/vda", "changed-now"),
        Step::Host("head -c 12 {raw}", HOLDS),
    ]),
];

#[test]
fn disks() {
    check(ROWS);
}
