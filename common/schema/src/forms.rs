//! What strict reading asks of texts beyond their types: the patterns that declarations name with `form = ...`.
//! Facts of libvirt's schemas, in our own words; whether a path or name leads anywhere is not asked.

fn all(text: &str, more: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || more.contains(it))
}

/// One line, not empty.
pub(crate) fn line(text: &str) -> bool {
    !text.is_empty() && !text.contains('\n')
}

/// A path from the root, with something behind it.
pub(crate) fn absolute(text: &str) -> bool {
    let mut chars = text.chars();
    let drive = chars.next().is_some_and(|it| it.is_ascii_alphabetic()) && chars.as_str().starts_with(":\\");
    line(text) && ((text.starts_with('/') && text.len() > 1) || drive || text.starts_with('['))
}

/// A path from the root, or the name of a device.
pub(crate) fn device(text: &str) -> bool {
    absolute(text) || all(text, "_.-\\:/")
}

/// Letters, digits, `_`, `+` and `-`.
pub(crate) fn word(text: &str) -> bool {
    all(text, "_+-")
}

/// The name of a machine type.
pub(crate) fn machine(text: &str) -> bool {
    all(text, "_.-")
}

/// The name of a CPU feature.
pub(crate) fn feature(text: &str) -> bool {
    all(text, "-_.")
}

/// A host by name or address.
pub(crate) fn host(text: &str) -> bool {
    all(text, ".-") || text.parse::<std::net::IpAddr>().is_ok()
}

/// A name of DNS.
pub(crate) fn dns_name(text: &str) -> bool {
    all(text, ".-")
}

/// The model of a network card.
pub(crate) fn card_model(text: &str) -> bool {
    all(text, "_-")
}

/// What a serial port or a console is in the guest.
pub(crate) fn terminal(text: &str) -> bool {
    #[rustfmt::skip]
    let known = [
        "xen", "serial", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm", "isa-serial", "usb-serial", "pci-serial",
        "spapr-vio-serial", "system-serial", "sclp-serial", "isa-debug",
    ];
    known.contains(&text)
}

/// A zone of a firewall.
pub(crate) fn zone(text: &str) -> bool {
    all(text, "_-")
}

/// The length of a network's part of an address.
pub(crate) fn prefix(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|it| it <= 128)
}

/// A DHCPv6 id in one of its four forms: bytes in hexadecimal, the second of which says which form it is.
pub(crate) fn duid(text: &str) -> bool {
    let bytes: Vec<Option<u8>> =
        text.split(':').map(|it| u8::from_str_radix(it, 16).ok().filter(|_| it.len() <= 2)).collect();
    let Some(bytes) = bytes.into_iter().collect::<Option<Vec<u8>>>() else { return false };
    match bytes.as_slice() {
        [0, 1, 0, hardware, rest @ ..] => (1..16).contains(hardware) && (10..=12).contains(&rest.len()),
        [0, 2, rest @ ..] => (5..=128).contains(&rest.len()),
        [0, 3, 0, hardware, rest @ ..] => (1..16).contains(hardware) && (6..=8).contains(&rest.len()),
        [0, 4, rest @ ..] => rest.len() == 16,
        _ => false,
    }
}

/// A number from 1.
pub(crate) fn positive(text: &str) -> bool {
    digits(text) && text.bytes().any(|it| it != b'0')
}

/// A number of vCPUs.
pub(crate) fn vcpus(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|it| it > 0)
}

/// The number of a vCPU.
pub(crate) fn vcpu(text: &str) -> bool {
    text.trim().parse::<u16>().is_ok()
}

/// A port, -1 for any.
pub(crate) fn port(text: &str) -> bool {
    text.trim().parse::<i32>().is_ok_and(|it| (-1..=65_535).contains(&it))
}

/// A weight of I/O.
pub(crate) fn weight(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|it| (100..=1000).contains(&it))
}

/// The target name of a disk: what bus it was once meant for, and a name there.
pub(crate) fn disk_target(text: &str) -> bool {
    let text = text.strip_prefix("ioemu:").unwrap_or(text);
    ["fd", "hd", "sd", "vd", "xvd", "ubd"].iter().any(|it| text.strip_prefix(it).is_some_and(|it| all(it, "_")))
}

/// The serial number of a disk.
pub(crate) fn serial(text: &str) -> bool {
    all(text, "_.+- ")
}

/// A world-wide name: 16 digits.
pub(crate) fn wwn(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_hexdigit())
}

/// The name of a SCSI target: `naa.` and 16 digits.
pub(crate) fn naa(text: &str) -> bool {
    text.strip_prefix("naa.").is_some_and(|it| hex(it, 16) && it.len() == 16)
}

/// An image format.
pub(crate) fn image_format(text: &str) -> bool {
    #[rustfmt::skip]
    let known = ["raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks", "cow", "qcow", "qcow2", "qed", "vmdk", "aio"];
    known.contains(&text)
}

/// The format of an image below another.
pub(crate) fn store_format(text: &str) -> bool {
    image_format(text) && text != "aio"
}

/// The port of a server: any number.
pub(crate) fn host_port(text: &str) -> bool {
    digits(text) || port(text)
}

/// An architecture.
pub(crate) fn arch(text: &str) -> bool {
    #[rustfmt::skip]
    let known = [
        "aarch64", "alpha", "armv6l", "armv7l", "cris", "i686", "ia64", "lm32", "loongarch64", "m68k", "microblaze", "microblazeel",
        "mips", "mipsel", "mips64", "mips64el", "openrisc", "parisc", "parisc64", "ppc", "ppc64", "ppc64le", "ppcemb", "riscv32",
        "riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "unicore32", "x86_64", "xtensa", "xtensaeb",
    ];
    known.contains(&text)
}

/// The kind of a guest.
pub(crate) fn os_type(text: &str) -> bool {
    matches!(text, "hvm" | "xen" | "xenpvh" | "exe")
}

/// What may happen when a guest ends by itself: a core is dumped only of a crash.
pub(crate) fn ending(text: &str) -> bool {
    matches!(text, "destroy" | "restart" | "preserve" | "rename-restart")
}

/// A card address with the bit of groups not set.
pub(crate) fn unicast(text: &str) -> bool {
    text.chars().nth(1).and_then(|it| it.to_digit(16)).is_some_and(|it| it % 2 == 0)
}

/// Anything but the domain type nobody has.
pub(crate) fn hypervisor(text: &str) -> bool {
    !matches!(text, "parallels")
}

/// A name without slashes.
pub(crate) fn volume(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// A date and time, `YYYY-MM-DDTHH:MM:SS`.
pub(crate) fn moment(text: &str) -> bool {
    let shape: String = text.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    shape == "0000-00-00T00:00:00"
}

/// Anything that is not `none`.
pub(crate) fn not_none(text: &str) -> bool {
    text != "none"
}

/// Anything but `default`.
pub(crate) fn not_default(text: &str) -> bool {
    text != "default"
}

/// Exactly twelve characters.
pub(crate) fn cpu_vendor(text: &str) -> bool {
    text.chars().count() == 12 && !text.contains(',')
}

/// Digits of a base, within a length.
fn digits_of(text: &str, base: u32, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.chars().all(|it| it.is_digit(base))
}

/// Hexadecimal, with or without `0x`.
fn hex(text: &str, most: usize) -> bool {
    digits_of(text.strip_prefix("0x").unwrap_or(text), 16, 1..=most)
}

/// A decimal number up to a limit, or a hexadecimal one behind `0x`.
fn within(text: &str, most: u32) -> bool {
    match text.strip_prefix("0x") {
        Some(hex) => digits_of(hex, 16, 1..=8) && u32::from_str_radix(hex, 16).is_ok_and(|it| it <= most),
        None => text.trim().parse::<u32>().is_ok_and(|it| it <= most),
    }
}

/// Decimal digits.
pub(crate) fn digits(text: &str) -> bool {
    digits_of(text, 10, 1..=usize::MAX)
}

/// A byte.
pub(crate) fn uint8(text: &str) -> bool {
    within(text, 0xff)
}

/// A number of 16 bits, in hexadecimal even without `0x`.
pub(crate) fn uint16(text: &str) -> bool {
    hex(text, 4) || within(text, 0xffff)
}

/// A number of 24 bits.
pub(crate) fn uint24(text: &str) -> bool {
    within(text, 0xff_ffff)
}

/// A number of 32 bits, in hexadecimal even without `0x`.
pub(crate) fn uint32(text: &str) -> bool {
    hex(text, 8) || digits(text) && within(text, u32::MAX)
}

/// A slot of a PCI bus.
pub(crate) fn slot(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let short = digits.strip_prefix(['0', '1']).filter(|it| !it.is_empty()).unwrap_or(digits);
    digits_of(short, 16, 1..=1) || within(text, 0x1f)
}

/// A function of a PCI device.
pub(crate) fn function(text: &str) -> bool {
    digits_of(text.strip_prefix("0x").unwrap_or(text), 8, 1..=1) || within(text, 7)
}

/// A bus or device of USB.
pub(crate) fn usb_number(text: &str) -> bool {
    hex(text, 3)
}

/// A vendor or product of USB.
pub(crate) fn usb_id(text: &str) -> bool {
    hex(text, 4)
}

/// A USB port: up to four numbers with dots between.
pub(crate) fn usb_port(text: &str) -> bool {
    text.split('.').count() <= 4 && text.split('.').all(usb_number)
}

/// One or two digits: the number of a controller, bus, port or slot.
pub(crate) fn two_digits(text: &str) -> bool {
    digits_of(text, 10, 1..=2)
}

/// The unit of a drive.
pub(crate) fn drive_unit(text: &str) -> bool {
    digits_of(text, 10, 1..=5)
}

/// A target of SCSI.
pub(crate) fn scsi_target(text: &str) -> bool {
    digits_of(text, 10, 1..=10)
}

/// A unit of SCSI.
pub(crate) fn scsi_unit(text: &str) -> bool {
    digits_of(text, 10, 1..=20)
}

/// A register of pSeries.
pub(crate) fn register(text: &str) -> bool {
    hex(text, 8)
}

/// A port of an ISA device.
pub(crate) fn io_base(text: &str) -> bool {
    text.starts_with("0x") && hex(text, 4)
}

/// An interrupt of an ISA device.
pub(crate) fn irq(text: &str) -> bool {
    text.starts_with("0x") && hex(text, 1)
}

/// Where memory begins.
pub(crate) fn memory_base(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|it| it.is_ascii_digit() || ('a'..='f').contains(&it))
}

/// A channel subsystem of s390.
pub(crate) fn cssid(text: &str) -> bool {
    within(text, 0xfe)
}

/// A set of subchannels of s390.
pub(crate) fn ssid(text: &str) -> bool {
    matches!(text.strip_prefix("0x").unwrap_or(text), "0" | "1" | "2" | "3")
}

/// A device number of s390.
pub(crate) fn devno(text: &str) -> bool {
    within(text, 0xffff)
}

/// A device's name in QEMU.
pub(crate) fn alias(text: &str) -> bool {
    all(text, "_-.")
}

/// What a boot loader of s390 is told.
pub(crate) fn loadparm(text: &str) -> bool {
    (1..=8).contains(&text.len()) && all(text, ". \t\n\r")
}

/// What QEMU does about what it will not know any more one day.
pub(crate) fn deprecation(text: &str) -> bool {
    matches!(text, "none" | "omit" | "reject" | "crash")
}

/// The name of a network device.
pub(crate) fn device_name(text: &str) -> bool {
    all(text, "_.-\\:/")
}

/// The name of a bridge; none at all is taken as well.
pub(crate) fn bridge_name(text: &str) -> bool {
    text.is_empty() || all(text, "_.-\\:/ ")
}

/// A path from the root; `/` alone is none.
pub(crate) fn absolute_path(text: &str) -> bool {
    absolute(text) && !text.starts_with('[')
}

/// A directory, of which the root is one.
pub(crate) fn from_root(text: &str) -> bool {
    text.starts_with('/') || absolute_path(text)
}

/// An IP address.
pub(crate) fn ip(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// An IPv4 address.
pub(crate) fn v4(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The one way to a SCSI host.
pub(crate) fn vhost(text: &str) -> bool {
    text == "vhost"
}

/// A name as XML has them, without colons.
pub(crate) fn nc_name(text: &str) -> bool {
    let is_start = |it: char| it.is_alphabetic() || it == '_';
    text.starts_with(is_start) && text.chars().all(|it| is_start(it) || it.is_numeric() || ".-".contains(it))
}

/// The number of a VLAN.
pub(crate) fn vlan(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|it| it <= 4095)
}

/// What is only said to say yes.
pub(crate) fn yes(text: &str) -> bool {
    text == "yes"
}

/// No slash.
pub(crate) fn slashless(text: &str) -> bool {
    !text.contains('/')
}

/// A name in D-Bus style, or of a TPM profile: letters, digits, `.`, `-` and `:`.
pub(crate) fn profile(text: &str) -> bool {
    all(text, ".-:")
}

/// Vendor and product of a SCSI disk: what can be printed, within a length.
pub(crate) fn scsi_vendor(text: &str) -> bool {
    text.len() <= 8 && text.bytes().all(|it| (b' '..=b'~').contains(&it))
}

/// The same for its product.
pub(crate) fn scsi_product(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|it| (b' '..=b'~').contains(&it))
}

/// A unit of sizes.
pub(crate) fn size_unit(text: &str) -> bool {
    !text.is_empty() && virtbus_xml::Unit::from_suffix(text).is_some()
}

/// The name of a time zone.
pub(crate) fn timezone(text: &str) -> bool {
    all(text, "_.+-/")
}

/// A level of caches.
pub(crate) fn cache_level(text: &str) -> bool {
    matches!(text, "1" | "2" | "3")
}

/// `reset`, or a number of seconds.
pub(crate) fn adjustment(text: &str) -> bool {
    text == "reset" || text.parse::<i64>().is_ok()
}

/// A period of the scheduler, in microseconds.
pub(crate) fn period(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|it| (1000..=1_000_000).contains(&it))
}

/// A time in milliseconds, -1 for never; the schema has them in 16 bits.
pub(crate) fn reboot_timeout(text: &str) -> bool {
    text.parse::<i16>().is_ok_and(|it| it >= -1)
}

/// A time in milliseconds.
pub(crate) fn menu_timeout(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// A distance between NUMA cells.
pub(crate) fn distance(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|it| (10..=255).contains(&it))
}

/// The name of a hypervisor's maker, as Hyper-V shows it.
pub(crate) fn hyperv_vendor(text: &str) -> bool {
    text.len() <= 12 && !text.contains(',')
}

/// The model of an IOMMU that the schema knows: QEMU has another.
pub(crate) fn iommu(text: &str) -> bool {
    text != "amd"
}
