//! What reaches into the guest: keys, interrupts, the agent; and the addresses it has.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::{error::Result, refs::DomainRef};

/// The numbering of key codes (`virKeycodeSet`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum KeyCodeSet {
    Linux = 0,
    Xt = 1,
    Atset1 = 2,
    Atset2 = 3,
    Atset3 = 4,
    Osx = 5,
    XtKbd = 6,
    Usb = 7,
    Win32 = 8,
    Qnum = 9,
}

impl KeyCodeSet {
    /// The set of libvirt's number.
    pub fn from_number(number: u32) -> Option<Self> {
        use KeyCodeSet::*;
        [Linux, Xt, Atset1, Atset2, Atset3, Osx, XtKbd, Usb, Win32, Qnum].into_iter().find(|it| *it as u32 == number)
    }
}

/// Who is asked for a guest's addresses; the numbers are `virDomainInterfaceAddressesSource`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum AddressSource {
    /// The DHCP server of its network.
    Lease = 0,
    /// The agent in the guest.
    Agent = 1,
    /// The host's table of neighbours.
    Arp = 2,
}

impl AddressSource {
    /// The source of libvirt's number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Lease, Self::Agent, Self::Arp].into_iter().find(|it| *it as u32 == number)
    }
}

/// An interface of a guest with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddresses {
    /// The device on the host; with the agent the guest's own name.
    pub name: String,
    /// The guest's MAC address.
    pub mac: Option<String>,
    /// Addresses with their prefixes; the prefix is 0 where the source knows none.
    pub addresses: Vec<(IpAddr, u32)>,
}

/// Input to the guest, and its addresses.
#[async_trait]
pub trait Guest: Send + Sync {
    /// Presses keys together for `hold_ms` milliseconds (0: QEMU's default). At most 16 keys.
    async fn send_key(&self, domain: &DomainRef, set: KeyCodeSet, hold_ms: u32, keys: &[u32]) -> Result<()>;

    /// Raises a non-maskable interrupt.
    async fn inject_nmi(&self, domain: &DomainRef) -> Result<()>;

    /// Wakes a sleeping guest.
    async fn pm_wakeup(&self, domain: &DomainRef) -> Result<()>;

    /// The addresses of an active guest's interfaces, as far as the source knows them.
    async fn interface_addresses(&self, domain: &DomainRef, source: AddressSource) -> Result<Vec<InterfaceAddresses>>;
}
