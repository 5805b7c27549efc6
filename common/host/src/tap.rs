//! Tap devices: the host's end of a guest's network card.
//!
//! A device lives as long as a descriptor of it is open somewhere, so a daemon that dies leaves nothing behind, and a
//! guest that outlives the daemon keeps its network. Macvtap devices stay until they are removed. Which bridge, address or
//! size, the caller knows.

use std::ffi::{c_char, c_int, c_short};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Longest name of a network device, without the terminating zero.
const LONGEST_NAME: usize = libc::IFNAMSIZ - 1;

/// Requests of linux/sockios.h that libc does not name.
const SIOCBRADDIF: libc::Ioctl = 0x89a2;
const SIOCBRDELIF: libc::Ioctl = 0x89a3;

/// An open tap device.
#[derive(Debug)]
pub struct Tap {
    /// Its name.
    pub name: String,
    /// One descriptor for each queue.
    pub queues: Vec<OwnedFd>,
}

/// Creates a tap device, or opens a persistent one. `name` may hold `%d`, for which the kernel puts the first free number
/// (`vnet%d`). With more than one queue it is a multi-queue device. `virtio_header` must agree with the guest's card: true
/// for virtio.
///
/// # Errors
/// As open(2) of /dev/net/tun and TUNSETIFF; needs CAP_NET_ADMIN.
pub fn create(name: &str, queues: usize, virtio_header: bool) -> io::Result<Tap> {
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI;
    if virtio_header {
        flags |= libc::IFF_VNET_HDR;
    }
    if queues > 1 {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    let mut tap = Tap { name: name.to_owned(), queues: Vec::new() };
    for _ in 0..queues.max(1) {
        let tun: OwnedFd = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun")?.into();
        let mut request = request(&tap.name)?;
        request.ifr_ifru.ifru_flags = c_short::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
        ioctl(&tun, libc::TUNSETIFF, &mut request)?;
        // The kernel has filled in the name; further queues must use it.
        tap.name = name_in(&request);
        tap.queues.push(tun);
    }
    Ok(tap)
}

/// Opens the macvtap device `name` of this network namespace, which [`crate::netlink::Netlink::add_macvtap`] has made, for a
/// guest. Unlike a tap device it stays when its last descriptor is closed.
///
/// # Errors
/// `NotFound` when there is no such device; as open(2) of its node in /dev and TUNSETIFF.
pub fn open_macvtap(name: &str, queues: usize, virtio_header: bool) -> io::Result<Tap> {
    let node = Node::of(name)?;
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI;
    if virtio_header {
        flags |= libc::IFF_VNET_HDR;
    }
    if queues > 1 {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    let mut tap = Tap { name: name.to_owned(), queues: Vec::new() };
    for _ in 0..queues.max(1) {
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(&node.path);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", node.path.display()));
        let fd: OwnedFd = opened.map_err(named)?.into();
        let mut request = request(name)?;
        request.ifr_ifru.ifru_flags = c_short::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
        ioctl(&fd, libc::TUNSETIFF, &mut request)?;
        tap.queues.push(fd);
    }
    Ok(tap)
}

/// The node by which a macvtap device is opened.
#[derive(Debug)]
struct Node {
    path: PathBuf,
    /// Whether it was made here, and goes again.
    own: bool,
}

impl Node {
    /// The kernel's own, `/dev/tapN`. Devices of two network namespaces can have one number and so one name there, and not
    /// every /dev is the kernel's: then one is made beside.
    fn of(name: &str) -> io::Result<Self> {
        use nix::sys::stat::{Mode, SFlag, makedev, mknod};
        use std::os::unix::fs::MetadataExt;
        let index = nix::net::if_::if_nametoindex(checked(name)?)?;
        let path = PathBuf::from(format!("/dev/tap{index}"));
        // Where sysfs is another namespace's, the kernel's node is all there is to go by.
        let said = crate::sysfs::text(&class(name)?.join(format!("tap{index}/dev")));
        let said = said.as_deref().and_then(|it| it.split_once(':'));
        let Some((Ok(major), Ok(minor))) = said.map(|(major, minor)| (major.parse(), minor.parse())) else {
            return Ok(Self { path, own: false });
        };
        let device = makedev(major, minor);
        if std::fs::metadata(&path).is_ok_and(|it| it.rdev() == device) {
            return Ok(Self { path, own: false });
        }
        let path = PathBuf::from(format!("/dev/.{name}-{major}-{minor}"));
        match mknod(&path, SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, device) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(Self { path, own: true }),
            Err(error) => Err(io::Error::from(error)),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.own {
            // One that is left is found by the next who needs it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Sets the hardware address of device `name`.
///
/// # Errors
/// As SIOCSIFHWADDR.
pub fn set_mac(name: &str, mac: [u8; 6]) -> io::Result<()> {
    let mut request = request(name)?;
    let mut address = libc::sockaddr { sa_family: libc::ARPHRD_ETHER, sa_data: [0; 14] };
    for (to, from) in address.sa_data.iter_mut().zip(mac) {
        *to = c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_hwaddr = address;
    ioctl(&socket()?, libc::SIOCSIFHWADDR, &mut request)
}

/// Sets the largest frame of device `name`, in bytes.
///
/// # Errors
/// As SIOCSIFMTU.
pub fn set_mtu(name: &str, mtu: u32) -> io::Result<()> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_mtu = c_int::try_from(mtu).map_err(|_| io::ErrorKind::InvalidInput)?;
    ioctl(&socket()?, libc::SIOCSIFMTU, &mut request)
}

/// The largest frame of device `name`, in bytes.
///
/// # Errors
/// As SIOCGIFMTU.
pub fn mtu(name: &str) -> io::Result<u32> {
    crate::sysfs::number(&class(name)?.join("mtu"))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no network device {name}")))
}

/// Takes device `name` up or down.
///
/// # Errors
/// As SIOCSIFFLAGS.
pub fn set_up(name: &str, up: bool) -> io::Result<()> {
    let socket = socket()?;
    let mut request = request(name)?;
    ioctl(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has just filled in this member of the union; all bits are a valid number.
    #[allow(unsafe_code)]
    let flags = c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    let flags = if up { flags | libc::IFF_UP } else { flags & !libc::IFF_UP };
    // The upper half of the kernel's flags does not fit here and is not for users to set.
    let [low, high, ..] = flags.to_ne_bytes();
    request.ifr_ifru.ifru_flags = c_short::from_ne_bytes([low, high]);
    ioctl(&socket, libc::SIOCSIFFLAGS, &mut request)
}

/// Makes device `port` a port of `bridge`.
///
/// # Errors
/// As SIOCBRADDIF.
pub fn attach(bridge: &str, port: &str) -> io::Result<()> {
    bridge_port(bridge, port, SIOCBRADDIF)
}

/// Takes device `port` off `bridge`.
///
/// # Errors
/// As SIOCBRDELIF.
pub fn detach(bridge: &str, port: &str) -> io::Result<()> {
    bridge_port(bridge, port, SIOCBRDELIF)
}

fn bridge_port(bridge: &str, port: &str, what: libc::Ioctl) -> io::Result<()> {
    let index = nix::net::if_::if_nametoindex(port)?;
    let mut request = request(bridge)?;
    request.ifr_ifru.ifru_ifindex = c_int::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
    ioctl(&socket()?, what, &mut request)
}

/// Whether a network device `name` exists.
pub fn exists(name: &str) -> bool {
    class(name).is_ok_and(|path| path.exists())
}

/// Whether `name` is a bridge.
pub fn is_bridge(name: &str) -> bool {
    class(name).is_ok_and(|path| path.join("bridge").is_dir())
}

/// Bytes and packets through a device, as the host counts them: what a tap transmits, its guest receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes received by the host.
    pub rx_bytes: u64,
    /// Packets received by the host.
    pub rx_packets: u64,
    /// Receive errors.
    pub rx_errors: u64,
    /// Received packets that were dropped.
    pub rx_dropped: u64,
    /// Bytes sent by the host.
    pub tx_bytes: u64,
    /// Packets sent by the host.
    pub tx_packets: u64,
    /// Send errors.
    pub tx_errors: u64,
    /// Packets to be sent that were dropped.
    pub tx_dropped: u64,
}

/// The counters of device `name`.
///
/// # Errors
/// `NotFound` when there is no such device.
pub fn counters(name: &str) -> io::Result<Counters> {
    let directory = class(name)?.join("statistics");
    if !directory.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no network device {name}")));
    }
    let count = |file: &str| crate::sysfs::number(&directory.join(file)).unwrap_or(0);
    Ok(Counters {
        rx_bytes: count("rx_bytes"),
        rx_packets: count("rx_packets"),
        rx_errors: count("rx_errors"),
        rx_dropped: count("rx_dropped"),
        tx_bytes: count("tx_bytes"),
        tx_packets: count("tx_packets"),
        tx_errors: count("tx_errors"),
        tx_dropped: count("tx_dropped"),
    })
}

fn class(name: &str) -> io::Result<PathBuf> {
    checked(name)?;
    Ok(Path::new("/sys/class/net").join(name))
}

/// A name the kernel would take, and that leads nowhere else as a path.
fn checked(name: &str) -> io::Result<&str> {
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && name != "." && name != "..";
    if fits && !name.contains(|c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace()) {
        Ok(name)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name for a network device")))
    }
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: a C struct of numbers and a union of such; all zeroes are valid.
    #[allow(unsafe_code)]
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // Shorter than the array, so a zero remains at its end.
    for (to, from) in request.ifr_name.iter_mut().zip(checked(name)?.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    Ok(request)
}

fn name_in(request: &libc::ifreq) -> String {
    let bytes = request.ifr_name.iter().flat_map(|c| c.to_ne_bytes()).take_while(|byte| *byte != 0);
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

fn socket() -> io::Result<OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    Ok(socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?)
}

fn ioctl(fd: &OwnedFd, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: all requests made here take a pointer to an ifreq, which is live and exclusively borrowed.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), what, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_comes_and_goes_with_its_descriptor() {
        let tap = match create("vbtest%d", 1, true) {
            Ok(tap) => tap,
            // Without the right or the module there is nothing to test.
            Err(_) => return,
        };
        assert!(tap.name.starts_with("vbtest") && !tap.name.contains('%'), "{}", tap.name);
        set_mac(&tap.name, [0xfe, 0x54, 0, 1, 2, 3]).expect("set");
        set_mtu(&tap.name, 1400).expect("set");
        set_up(&tap.name, true).expect("up");
        assert_eq!(mtu(&tap.name).expect("readable"), 1400);
        let address = std::fs::read_to_string(format!("/sys/class/net/{}/address", tap.name)).expect("readable");
        assert_eq!(address.trim(), "fe:54:00:01:02:03");
        assert!(exists(&tap.name) && !is_bridge(&tap.name));
        counters(&tap.name).expect("readable");
        assert!(attach("lo", &tap.name).is_err());
        let name = tap.name.clone();
        drop(tap);
        // A process that another test is just starting holds a copy until it executes its program.
        let begun = std::time::Instant::now();
        while exists(&name) {
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{name} is still there");
            std::thread::yield_now();
        }
    }

    #[test]
    fn names_are_checked() {
        for bad in ["", "..", "a/b", "a b", "sixteen-letters!", "a\0"] {
            assert!(checked(bad).is_err() && !exists(bad), "{bad:?}");
        }
        assert!(exists("lo"));
        assert!(counters("no-such-dev").is_err());
    }
}
