//! Domains and their life.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;
use virtbus_schema::domain::Domain;

use crate::{
    error::{Error, Result},
    event::DomainEvent,
    flags::{
        DefineFlags, DestroyFlags, ListFilter, MessageFlags, RebootFlags, ShutdownFlags, StartFlags, UndefineFlags,
        XmlFlags,
    },
    hypervisor::State,
    refs::{ClientLease, DomainRef},
};

/// The figures of `virsh dominfo` (`virDomainInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainInfo {
    /// The state, without its reason.
    pub state: State,
    /// The memory the guest may have, in KiB.
    pub max_memory_kib: u64,
    /// The memory the guest has now, in KiB.
    pub memory_kib: u64,
    /// vCPUs the guest has now.
    pub vcpus: u32,
    /// CPU time used by the QEMU process, in nanoseconds; 0 when off.
    pub cpu_time_ns: u64,
}

/// What a security driver has labelled a domain's process with (`virSecurityLabel`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecurityLabel {
    /// The label, for example `+64055:+64055`; empty where nothing is labelled.
    pub label: String,
    /// Whether the host enforces it.
    pub enforcing: bool,
}

/// Finding, defining, starting and stopping domains.
///
/// All errors are libvirt's: an unknown domain is `NO_DOMAIN`, a wrong state `OPERATION_INVALID`, a stuck QEMU
/// `OPERATION_TIMEOUT` naming what is stuck.
#[async_trait]
pub trait Domains: Send + Sync {
    /// The domains that pass the filter; an empty filter passes all. In order of name.
    fn list(&self, filter: ListFilter) -> Vec<DomainRef>;

    /// The active domain with this runtime id.
    fn lookup_by_id(&self, id: u32) -> Result<DomainRef>;

    /// The domain with this UUID.
    fn lookup_by_uuid(&self, uuid: uuid::Uuid) -> Result<DomainRef>;

    /// The domain of this name.
    fn lookup_by_name(&self, name: &str) -> Result<DomainRef>;

    /// State and reason.
    fn state(&self, domain: &DomainRef) -> Result<State>;

    /// The figures of `dominfo`.
    fn info(&self, domain: &DomainRef) -> Result<DomainInfo>;

    /// The document: the live one of an active domain, the definition with [`XmlFlags::INACTIVE`] or when off.
    ///
    /// The document is complete; leaving out secrets is the formatter's work ([`XmlFlags::SECURE`]).
    fn xml(&self, domain: &DomainRef, flags: XmlFlags) -> Result<Arc<Domain>>;

    /// Whether there is a definition that outlives the guest.
    fn is_persistent(&self, domain: &DomainRef) -> Result<bool>;

    /// Whether the definition differs from what runs.
    fn is_updated(&self, domain: &DomainRef) -> Result<bool>;

    /// Whether it starts with the host.
    fn autostart(&self, domain: &DomainRef) -> Result<bool>;

    /// Whether it starts with the host the next time, and only then.
    fn autostart_once(&self, _domain: &DomainRef) -> Result<bool> {
        Err(Error::no_support("virDomainGetAutostartOnce"))
    }

    /// What a user should know of the domain: deprecated devices, what taints it, I/O errors. One line each.
    fn messages(&self, _domain: &DomainRef, _kinds: MessageFlags) -> Result<Vec<String>> {
        Err(Error::no_support("virDomainGetMessages"))
    }

    /// The labels of an active domain, one per security driver in use; none when off.
    fn security_labels(&self, _domain: &DomainRef) -> Result<Vec<SecurityLabel>> {
        Err(Error::no_support("virDomainGetSecurityLabel"))
    }

    /// Whether a saved state waits for the next start.
    fn has_managed_save(&self, domain: &DomainRef) -> Result<bool>;

    /// `hvm`, as the definition says.
    fn os_type(&self, domain: &DomainRef) -> Result<String>;

    /// The memory the guest may have, in KiB.
    fn max_memory(&self, domain: &DomainRef) -> Result<u64>;

    /// The vCPUs the guest has (`current`) or may have, of the guest (`live`) or the definition.
    ///
    /// `flags` as in `virDomainGetVcpusFlags`.
    fn vcpus(&self, domain: &DomainRef, flags: crate::flags::VcpuFlags) -> Result<u32>;

    /// Takes a definition; replaces one of the same name and UUID. On success it is on disk.
    async fn define(&self, domain: Box<Domain>, flags: DefineFlags) -> Result<DomainRef>;

    /// Starts a guest; without a definition of that UUID it is transient. `lease` matters for `AUTODESTROY`.
    async fn create(&self, domain: Box<Domain>, flags: StartFlags, lease: ClientLease) -> Result<DomainRef>;

    /// Starts a defined domain.
    async fn start(&self, domain: &DomainRef, flags: StartFlags, lease: ClientLease) -> Result<DomainRef>;

    /// Pauses the vCPUs.
    async fn suspend(&self, domain: &DomainRef) -> Result<()>;

    /// Lets the vCPUs run on.
    async fn resume(&self, domain: &DomainRef) -> Result<()>;

    /// Asks the guest to shut down; success means that it was asked.
    async fn shutdown(&self, domain: &DomainRef, flags: ShutdownFlags) -> Result<()>;

    /// Asks the guest to reboot; success means that it was asked.
    async fn reboot(&self, domain: &DomainRef, flags: RebootFlags) -> Result<()>;

    /// Presses the reset button.
    async fn reset(&self, domain: &DomainRef) -> Result<()>;

    /// Ends the guest. With `GRACEFUL` only by SIGTERM. Returns when the process is gone.
    async fn destroy(&self, domain: &DomainRef, flags: DestroyFlags) -> Result<()>;

    /// Removes the definition; an active domain becomes transient.
    async fn undefine(&self, domain: &DomainRef, flags: UndefineFlags) -> Result<()>;

    /// Whether the domain is to start with the host.
    async fn set_autostart(&self, domain: &DomainRef, autostart: bool) -> Result<()>;

    /// Whether the domain is to start with the host the next time, and only then.
    async fn set_autostart_once(&self, _domain: &DomainRef, _autostart: bool) -> Result<()> {
        Err(Error::no_support("virDomainSetAutostartOnce"))
    }

    /// Gives an inactive domain another name.
    async fn rename(&self, domain: &DomainRef, name: &str) -> Result<()>;

    /// Turns a QEMU argv into a document (`domxml-from-native`).
    fn xml_from_native(&self, _format: &str, _config: &str) -> Result<Box<Domain>> {
        Err(Error::no_support("virConnectDomainXMLFromNative"))
    }

    /// Turns a document into the QEMU argv it would be started with (`domxml-to-native qemu-argv`).
    async fn xml_to_native(&self, format: &str, domain: Box<Domain>) -> Result<String>;

    /// Everything that happens to domains from now on.
    ///
    /// A front that lags behind gets `Lagged` and disconnects its clients; it never skips silently.
    fn events(&self) -> broadcast::Receiver<Arc<DomainEvent>>;
}
