//! What a machine has besides devices: its type, firmware, processors, memory, clock, and what it is called.

use crate::row::{Row, Step, check, row};

/// UEFI needs room beside the initial RAM disk.
const ROOMY: &str = "<memory unit='KiB'>393216</memory>";
/// A machine without ACPI cannot be switched off by its guest, but started again, which is its end then.
const NO_ACPI: &str = "<features><apic/></features><on_reboot>destroy</on_reboot>";

const ROWS: &[Row] = &[
    row("machine-q35", "", &["pci id=8086:29C0", "firmware bios", "acpi table=MCFG"]),
    row("machine-pc", "", &["pci id=8086:1237", "firmware bios", "!acpi table=MCFG"]).on("pc"),
    row("machine-old-q35", "", &["pci id=8086:29C0"]).on("pc-q35-7.2"),
    row("machine-old-pc", "", &["pci id=8086:1237"]).on("pc-i440fx-7.2"),
    row("machine-microvm", "", &["!pci id=8086:29C0", "tty ttyS0", "!acpi table=FACP"]).on("microvm").domain(NO_ACPI).ends("reboot -f"),
    // The guest's kernel was built without the driver that takes such devices from its arguments.
    row(
        "machine-microvm-disk",
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vda' bus='virtio'/>\
         <address type='virtio-mmio'/></disk>",
        &["tty ttyS0"],
    )
    .on("microvm")
    .domain(NO_ACPI)
    .then(&[Step::Monitor("info qtree", "dev: virtio-blk-device")])
    .ends("reboot -f"),
    row("machine-unknown", "", &[]).on("no-such-machine").refused("no-such-machine"),
    // The firmware makes tables of its own then, which know nothing of QEMU.
    row("without-acpi", "", &["!acpi device=QEMU0002:00", "acpi table=FACP"]).domain("<features><apic/></features>"),
    row("firmware-efi", "", &["firmware efi"])
        .os("firmware='efi' <firmware><feature enabled='no' name='secure-boot'/></firmware>")
        .domain(ROOMY),
    row(
        "firmware-by-hand",
        "",
        &["firmware efi"],
    )
    .os("<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>\
         <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{dir}/vars.fd</nvram>")
    .domain(ROOMY),
    row("firmware-secure-with-smm", "", &["firmware efi"])
        .os("firmware='efi' <firmware><feature enabled='yes' name='secure-boot'/>\
             <feature enabled='no' name='enrolled-keys'/></firmware>")
        .domain("<memory unit='KiB'>393216</memory><features><acpi/><smm state='on'><tseg unit='KiB'>16384</tseg></smm></features>"),
    row("firmware-serial-output", "", &["firmware bios"]).os("<bios useserial='yes' rebootTimeout='0'/>"),
    row("boot-menu-and-devices", "", &["fwcfg etc/boot-menu-wait"])
        .os("<boot dev='hd'/><boot dev='cdrom'/><bootmenu enable='yes' timeout='100'/>"),
    row(
        "smbios-sysinfo",
        "",
        &[
            "dmi bios_vendor TestBios",
            "dmi sys_vendor Virtbus",
            "dmi product_name Tiny",
            "dmi product_serial S-123",
            "dmi board_name Board-9",
            "dmi chassis_asset_tag Tag-4",
        ],
    )
    .os("<smbios mode='sysinfo'/>")
    .domain(
        "<sysinfo type='smbios'><bios><entry name='vendor'>TestBios</entry></bios><system>\
         <entry name='manufacturer'>Virtbus</entry><entry name='product'>Tiny</entry><entry name='serial'>S-123</entry></system>\
         <baseBoard><entry name='product'>Board-9</entry></baseBoard><chassis><entry name='asset'>Tag-4</entry></chassis>\
         <oemStrings><entry>hello</entry></oemStrings></sysinfo>",
    ),
    row("fwcfg-sysinfo", "", &["fwcfg opt/org.test/word"])
        .domain("<sysinfo type='fwcfg'><entry name='opt/org.test/word'>a, word</entry></sysinfo>")
        .then(&[Step::Guest("cat /sys/firmware/qemu_fw_cfg/by_name/opt/org.test/word/raw", "a, word")]),
    row("uuid", "", &["dmi product_uuid 6b3c1f0e-1111-4222-8333-444455556666"])
        .domain("<uuid>6b3c1f0e-1111-4222-8333-444455556666</uuid>"),
    row("genid", "", &["acpi device=QEMUVGID:00"]).domain("<genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>"),
    row("acpi-table", "", &["acpi table=SLIC"])
        .os("<acpi><table type='slic'>{slic}</table></acpi>")
        .then(&[Step::Guest("ls /sys/firmware/acpi/tables", "SLIC")]),
    row("cpu-topology", "", &["cpu cpu7 physical_package_id=1 core_id=1 threads=6-7"])
        .domain("<vcpu>8</vcpu><cpu mode='custom' match='exact'><model fallback='allow'>Nehalem</model>\
                 <topology sockets='2' dies='1' clusters='1' cores='2' threads='2'/></cpu>"),
    row("cpu-custom", "", &["cpu model Westmere", "cpu flags aes", "!cpu flags sse4_2"]).domain(
        "<cpu mode='custom' match='exact'><model fallback='forbid'>Westmere</model><feature policy='disable' name='sse4.2'/></cpu>",
    ),
    row("cpu-vendor", "", &["cpu vendor AuthenticAMD"])
        .domain("<cpu mode='custom' match='exact'><model fallback='allow'>Opteron_G1</model></cpu>"),
    row("cpu-host-model", "", &["cpu cpu0"]).domain("<cpu mode='host-model'/>"),
    row("cpu-maximum", "", &["cpu flags avx2"]).domain("<cpu mode='maximum'/>"),
    row("cpu-host-passthrough", "", &[]).domain("<cpu mode='host-passthrough'/>").refused("host-passthrough"),
    row("vcpus-some-offline", "", &["cpu cpu0 online=1", "cpu cpu1 online=1", "!cpu cpu2"])
        .domain("<vcpu current='2'>4</vcpu>")
        .then(&[Step::Virsh("vcpucount vcpus-some-offline --current --live", "2")]),
    row(
        "vcpus-enabled-by-hand",
        "",
        &["cpu cpu0 online=1", "cpu cpu1 online=1"],
    )
    .domain(
        "<vcpu current='2'>3</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>\
         <vcpu id='1' enabled='no' hotpluggable='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>",
    )
    .then(&[Step::Monitor("info hotpluggable-cpus", "socket-id: \"2\"")]),
    row("cputune-pinning", "", &["cpu cpu1"])
        .domain("<vcpu cpuset='0-1'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='0'/></cputune>")
        .then(&[Step::Host(
            "cd /proc/$(cat {run}/cputune-pinning.pid)/task && for at in $(grep -l 'CPU 0' */comm); do \
             grep Cpus_allowed_list ${at%/comm}/status; done",
            "\t1\n",
        )]),
    row(
        "numa-cells",
        "",
        &["memory node0 cpus=0 distance=10,21", "memory node1 cpus=1 distance=21,10"],
    )
    .domain(
        "<vcpu>2</vcpu><memory unit='KiB'>262144</memory><cpu mode='custom' match='exact'><model>qemu64</model><numa>\
         <cell id='0' cpus='0' memory='131072'><distances><sibling id='0' value='10'/><sibling id='1' value='21'/></distances></cell>\
         <cell id='1' cpus='1' memory='131072'><distances><sibling id='0' value='21'/><sibling id='1' value='10'/></distances></cell>\
         </numa></cpu>",
    ),
    row("memory-hugepages-absent", "", &[])
        .domain("<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages></memoryBacking>")
        .refused("huge"),
    row("memory-memfd", "", &["memory total"])
        .domain("<memoryBacking><source type='memfd'/><access mode='shared'/><discard/></memoryBacking>")
        .then(&[Step::Monitor("info memdev", "share: true")]),
    row("memory-file-prealloc", "", &["memory total"])
        .domain("<memoryBacking><nosharepages/><source type='file'/><access mode='private'/><allocation mode='immediate'/></memoryBacking>")
        .then(&[Step::Monitor("info memdev", "prealloc: true")]),
    row("clock-variable", "", &["clock date {tendays}"]).domain("<clock offset='variable' adjustment='864000' basis='utc'/>"),
    row("clock-localtime", "", &["clock date"]).domain("<clock offset='localtime'/>"),
    row("clock-timezone", "", &["clock date"]).domain("<clock offset='timezone' timezone='Europe/Berlin'/>"),
    row("clock-absolute", "", &["clock date 2001-09-09"]).domain("<clock offset='absolute' start='1000000000'/>"),
    row("clock-timers", "", &["!acpi table=HPET", "clock sources"])
        .domain("<clock offset='utc'><timer name='hpet' present='no'/><timer name='rtc' tickpolicy='catchup'/>\
                 <timer name='pit' tickpolicy='delay'/></clock>")
        .then(&[Step::Guest("look acpi | grep -c HPET", "0")]),
    row("hyperv", "", &["cpu cpu0"])
        .domain("<features><acpi/><hyperv mode='custom'><relaxed state='on'/><vapic state='on'/></hyperv></features>"),
    row("vmcoreinfo", "", &["fwcfg etc/vmcoreinfo"]).domain("<features><acpi/><vmcoreinfo state='on'/></features>"),
    row("vmport-off", "", &["memory total"]).domain("<features><acpi/><vmport state='off'/></features>"),
    row("pm-suspend", "", &["memory total"])
        .domain("<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='no'/></pm>")
        .then(&[Step::Guest("cat /sys/power/state", "mem")]),
    row("seclabel-none", "", &["memory total"]).domain("<seclabel type='none'/>"),
    row("metadata-and-title", "", &["memory total"])
        .domain("<title>A title</title><description>What it is</description><metadata><x:y xmlns:x='urn:x' z='1'/></metadata>"),
];

#[test]
fn machines() {
    check(ROWS);
}
