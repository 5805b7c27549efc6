//! Devices that are one of a kind: entropy, watchdogs, panic, shared files and memory, TPMs, memory that is plugged in.

use crate::row::{Row, Step, check, row};

/// One cell of memory that can grow. A kernel that may get memory above 4 GiB puts 64 MiB aside for devices that reach no higher.
const GROWS: &str = "<maxMemory slots='4' unit='KiB'>2097152</maxMemory><memory unit='KiB'>327680</memory>\
     <cpu mode='custom' match='exact'><model>qemu64</model><numa><cell id='0' cpus='0' memory='327680'/></numa></cpu>";
const SHARED: &str = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>";

const ROWS: &[Row] = &[
    row(
        "rng-random",
        "<rng model='virtio'><rate bytes='1024' period='1000'/><backend model='random'>/dev/urandom</backend></rng>",
        &["rng virtio_rng.0", "pci id=1AF4:1044"],
    )
    .then(&[Step::Guest("head -c 64 /dev/hwrng | wc -c", "64")]),
    row("rng-builtin", "<rng model='virtio'><backend model='builtin'/></rng>", &["rng virtio_rng.0"])
        .then(&[Step::Guest("head -c 64 /dev/hwrng | wc -c", "64")]),
    row(
        "rng-egd",
        "<rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='127.0.0.1' service='{egd}'/>\
         <protocol type='raw'/></backend></rng>",
        &["rng virtio_rng.0"],
    ),
    row(
        "rng-transitional",
        "<rng model='virtio-transitional'><backend model='random'>/dev/urandom</backend></rng>",
        &["pci id=1AF4:1005"],
    ),
    row(
        "memballoon",
        "<memballoon model='virtio' autodeflate='on' freePageReporting='on'><stats period='1'/></memballoon>",
        &["virtio driver=virtio_balloon", "pci id=1AF4:1045"],
    )
    .then(&[Step::Monitor("info balloon", "actual=192")]),
    row("memballoon-none", "<memballoon model='none'/>", &["!virtio driver=virtio_balloon", "memory total"]),
    row(
        "watchdog-i6300esb",
        "<watchdog model='i6300esb' action='reset'/>",
        &["pci id=8086:25AB driver=i6300ESB", "watchdog i6300ESB timer"],
    )
    .then(&[Step::Guest("ls /dev/watchdog0", "/dev/watchdog0")]),
    row("watchdog-itco", "<watchdog model='itco' action='poweroff'/>", &["watchdog iTCO_wdt"]),
    row("watchdog-ib700", "<watchdog model='ib700' action='none'/>", &["memory total"])
        .on("pc")
        .then(&[Step::Guest("modprobe ib700wdt; ls /dev/watchdog", "/dev/watchdog"), Step::Monitor("info qtree", "dev: ib700")]),
    row("watchdog-diag288", "<watchdog model='diag288' action='reset'/>", &[]).refused("diag288"),
    row("panic-isa", "<panic model='isa'/>", &["acpi device=QEMU0001:00"]),
    row("panic-pvpanic", "<panic model='pvpanic'/>", &["pci id=1B36:0011"]),
    row("panic-hyperv", "<panic model='hyperv'/>", &["cpu cpu0"]).then(&[Step::Guest("dmesg", "")]),
    row(
        "filesystem-9p",
        "<filesystem type='mount' accessmode='mapped' fmode='0640' dmode='0750'><driver type='path' wrpolicy='immediate'/>\
         <source dir='{shared}'/><target dir='shared'/></filesystem>",
        &["virtio driver=9pnet_virtio tag=shared"],
    )
    .then(&[
        Step::Guest("mount -t 9p -o trans=virtio,version=9p2000.L shared /mnt; cat /mnt/greeting", "hello from the host"),
        Step::Guest("echo answer >/mnt/answer; sync; echo done-$?", "done-0"),
        Step::Host("cat {shared}/answer", "answer"),
    ]),
    row(
        "filesystem-9p-readonly",
        "<filesystem type='mount' accessmode='passthrough' multidevs='remap'><source dir='{shared}'/><target dir='shared'/>\
         <readonly/></filesystem>",
        &["virtio tag=shared"],
    )
    .then(&[
        Step::Guest("mount -t 9p -o trans=virtio,version=9p2000.L shared /mnt; cat /mnt/greeting", "hello from the host"),
        Step::Guest("echo answer >/mnt/answer || echo is-refused", "is-refused"),
    ]),
    // Debian 12 has no virtiofsd beside this QEMU.
    row(
        "filesystem-virtiofs-without-virtiofsd",
        "<filesystem type='mount'><driver type='virtiofs'/><binary path='/usr/libexec/no-virtiofsd'/><source dir='{shared}'/>\
         <target dir='shared'/></filesystem>",
        &[],
    )
    .domain(SHARED)
    .refused("/usr/libexec/no-virtiofsd"),
    row(
        "shmem-plain",
        "<shmem name='{unique}'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
        &["pci id=1AF4:1110"],
    )
    .then(&[Step::Guest("stat -c %s /sys/bus/pci/devices/*/resource2 2>&1", "1048576")]),
    row(
        "shmem-doorbell",
        "<shmem name='{unique}'><model type='ivshmem-doorbell'/><server path='{dir}/absent.sock'/><msi vectors='2' ioeventfd='on'/>\
         </shmem>",
        &[],
    )
    .refused("absent.sock"),
    row("crypto", "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>", &["pci id=1AF4:1054"]),
    row(
        "pstore",
        "<pstore backend='acpi-erst'><path>{dir}/pstore</path><size unit='KiB'>64</size></pstore>",
        &["pci id=1B36:0012", "acpi table=ERST"],
    )
    .then(&[Step::Host("stat -c %s {dir}/pstore", "65536")]),
    row("iommu-intel", "<iommu model='intel'><driver aw_bits='48' caching_mode='on'/></iommu>", &["acpi table=DMAR"]),
    row(
        "iommu-intel-remapping",
        "<iommu model='intel'><driver intremap='on' eim='on' iotlb='on'/></iommu>",
        &["acpi table=DMAR"],
    )
    .domain("<features><acpi/><ioapic driver='qemu'/></features>")
    .then(&[Step::Monitor("info qtree", "dev: intel-iommu")]),
    row("iommu-virtio", "<iommu model='virtio'/>", &["pci id=1AF4:1057", "acpi table=VIOT"]),
    row("iommu-amd", "<iommu model='amd'/>", &[]).refused("amd"),
    row(
        "iommu-platform",
        "<iommu model='intel'/><rng model='virtio'><backend model='random'>/dev/urandom</backend><driver iommu='on' ats='on'/></rng>",
        &["virtio driver=virtio_rng iommu"],
    ),
    row(
        "vsock",
        "<vsock model='virtio'><cid auto='no' address='77'/></vsock>",
        &[],
    )
    .refused("vsock"),
    // QEMU puts the initial RAM disk of a guest it boots itself over the ACPI tables when these are large, as a TPM's log makes
    // them; firmware that boots the guest does not.
    row("tpm-crb", "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", &["tpm tpm0 2", "firmware efi"])
        .os("firmware='efi' <firmware><feature enabled='no' name='secure-boot'/></firmware>")
        .domain("<memory unit='KiB'>393216</memory>")
        .then(&[Step::Monitor("info tpm", "model=tpm-crb")]),
    row("tpm-tis", "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>", &["tpm tpm0 1"])
        .os("firmware='efi' <firmware><feature enabled='no' name='secure-boot'/></firmware>")
        .domain("<memory unit='KiB'>393216</memory>")
        .then(&[Step::Monitor("info tpm", "model=tpm-tis")]),
    row("tpm-passthrough-absent", "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm99'/></backend></tpm>", &[])
        .refused("tpm99"),
    row(
        "memory-dimm",
        "<memory model='dimm'><target><size unit='KiB'>131072</size><node>0</node></target></memory>",
        &["acpi device=PNP0C80:00"],
    )
    .domain(GROWS)
    .then(&[Step::Monitor("info memory-devices", "addr: 0x100000000"), Step::Guest("cat /sys/devices/system/memory/memory*/state | wc -l", "")]),
    row(
        "memory-nvdimm",
        "<memory model='nvdimm' access='shared'><source><path>{pmem}</path></source><target><size unit='KiB'>131072</size>\
         <node>0</node><label><size unit='KiB'>128</size></label></target></memory>",
        &["acpi table=NFIT"],
    )
    .domain(GROWS)
    .then(&[Step::Monitor("info memory-devices", "nvdimm")]),
    row(
        "memory-virtio-mem",
        "<memory model='virtio-mem'><target><size unit='KiB'>131072</size><node>0</node><block unit='KiB'>2048</block>\
         <requested unit='KiB'>65536</requested></target></memory>",
        &["virtio driver=virtio_mem"],
    )
    .domain(GROWS),
    row(
        "memory-virtio-pmem",
        "<memory model='virtio-pmem' access='shared'><source><path>{pmem}</path></source><target>\
         <size unit='KiB'>131072</size></target></memory>",
        &["virtio driver=virtio_pmem", "disk pmem0 bytes=134217728"],
    )
    .domain(GROWS),
    row(
        "hostdev-pci-absent",
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x7f' slot='0x1f' \
         function='0x0'/></source></hostdev>",
        &[],
    )
    .refused("7f:1f.0"),
    row(
        "hostdev-usb-absent",
        "<controller type='usb' index='0' model='qemu-xhci'/><hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/>\
         <product id='0xbeef'/></source></hostdev>",
        &[],
    )
    .refused("1234:beef"),
];

#[test]
fn small() {
    check(ROWS);
}
