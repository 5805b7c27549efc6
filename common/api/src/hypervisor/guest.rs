//! What reaches into the guest: keys, interrupts, the agent.

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

/// Input to the guest.
#[async_trait]
pub trait Guest: Send + Sync {
    /// Presses keys together for `hold_ms` milliseconds (0: QEMU's default). At most 16 keys.
    async fn send_key(&self, domain: &DomainRef, set: KeyCodeSet, hold_ms: u32, keys: &[u32]) -> Result<()>;

    /// Raises a non-maskable interrupt.
    async fn inject_nmi(&self, domain: &DomainRef) -> Result<()>;

    /// Wakes a sleeping guest.
    async fn pm_wakeup(&self, domain: &DomainRef) -> Result<()>;
}
