//! What a running guest holds on the host: files that were given away, directories, ports, its log.
//!
//! Released when the guest has ended, or when dropped before it ran. Dropped afterwards they are left as they are: the
//! guest outlives this daemon. Release goes on past errors and returns them all.

use std::path::PathBuf;
use std::sync::Arc;

use virtbus_schema::domain_status::{DomainStatus, FileOwner, PluggedPort, VcpuThread};

use crate::driver::Shared;
use crate::process::helper::Helper;
use crate::process::log::DomainLog;
use crate::security;

/// What is taken back in the end.
#[derive(Debug)]
pub(crate) struct Claims {
    shared: Arc<Shared>,
    /// Everything but `shared`, so that it can be moved out when released.
    held: Held,
    /// Ports of networks that the guest is plugged into.
    plugged: Vec<PluggedPort>,
    /// The threads of the vCPUs, for the status file.
    pub(crate) vcpus: Vec<VcpuThread>,
    /// `ID-NAME`.
    pub(crate) short_name: String,
    /// Whether the start may still fail. A running guest's claims outlive the daemon.
    tentative: bool,
}

#[derive(Debug, Default)]
struct Held {
    directories: Vec<PathBuf>,
    owners: Vec<FileOwner>,
    ports: Vec<u16>,
    log: Option<DomainLog>,
    helpers: Vec<Helper>,
}

impl Claims {
    /// Nothing held yet.
    pub(crate) fn new(shared: Arc<Shared>, short_name: String) -> Self {
        Self { shared, held: Held::default(), plugged: Vec::new(), vcpus: Vec::new(), short_name, tentative: true }
    }

    /// What the guest of a status file holds.
    pub(crate) fn found(shared: &Arc<Shared>, id: u32, status: &DomainStatus) -> Self {
        let name = &status.domain.name;
        let short_name = super::short_name(id, name);
        let layout = &shared.config.layout;
        let or = |path: &Option<String>, else_: PathBuf| path.as_ref().map_or(else_, PathBuf::from);
        let mut claims = Self::new(Arc::clone(shared), short_name.clone());
        let home = or(&status.lib_dir, layout.lib.join(format!("domain-{short_name}")));
        claims.held.helpers = super::beside::find(&status.domain, layout, &short_name, &home);
        claims.add_directory(home);
        claims.add_directory(or(&status.channel_dir, layout.channels.join(&short_name)));
        claims.tentative = false;
        claims.held.owners.clone_from(&status.owners);
        claims.plugged.clone_from(&status.ports);
        claims.vcpus.clone_from(&status.vcpus);
        claims.held.log = DomainLog::open(&layout.log, name).ok();
        for port in super::living::ports(&status.domain) {
            shared.ports.note(port);
            claims.add_port(port);
        }
        claims
    }

    /// What all domains share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A directory to be removed in the end.
    pub(crate) fn add_directory(&mut self, directory: PathBuf) {
        self.held.directories.push(directory);
    }

    /// A port to be free in the end.
    pub(crate) fn add_port(&mut self, port: u16) {
        self.held.ports.push(port);
    }

    /// A process beside QEMU to be ended in the end.
    pub(crate) fn add_helper(&mut self, helper: Helper) {
        self.held.helpers.push(helper);
    }

    /// The log to be closed in the end.
    pub(crate) fn set_log(&mut self, log: DomainLog) {
        self.held.log = Some(log);
    }

    /// A port to be unplugged in the end.
    pub(crate) fn add_plugged(&mut self, port: PluggedPort) {
        self.plugged.push(port);
    }

    /// Ports to be unplugged in the end.
    pub(crate) fn plugged(&self) -> &[PluggedPort] {
        &self.plugged
    }

    /// Files to be given back in the end.
    pub(crate) fn owners(&self) -> &[FileOwner] {
        &self.held.owners
    }

    /// The list of files to be given back, to be added to.
    pub(crate) fn owners_mut(&mut self) -> &mut Vec<FileOwner> {
        &mut self.held.owners
    }

    /// What QEMU has written to its log since it was started. Blocks.
    pub(crate) fn said(&self) -> String {
        self.held.log.as_ref().map(DomainLog::said).unwrap_or_default()
    }

    /// The start has succeeded: what is held stays held, even when this daemon ends.
    pub(crate) fn keep(&mut self) {
        self.tentative = false;
    }

    /// Takes everything back; `why` closes the log. Returns QEMU's last words and what did not work out.
    pub(crate) async fn release(mut self, why: &'static str) -> (String, Vec<String>) {
        let held = std::mem::take(&mut self.held);
        let plugged = std::mem::take(&mut self.plugged);
        let shared = Arc::clone(&self.shared);
        let released = tokio::task::spawn_blocking(move || held.release(&shared, why));
        // The network daemon may be slow: its answer is not waited for longer than its neighbour's deadline.
        let (released, unplugged) = tokio::join!(released, unplug(&self.shared, plugged));
        let (said, mut errors) = released.unwrap_or_else(|error| (String::new(), vec![error.to_string()]));
        errors.extend(unplugged);
        (said, errors)
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        let plugged = std::mem::take(&mut self.plugged);
        if !self.tentative || (held.is_empty() && plugged.is_empty()) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let release = move || {
            for error in held.release(&shared, "failed").1 {
                tracing::warn!("undoing a start: {error}");
            }
        };
        // Without a runtime the daemon is ending; the next one finds the status file.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(release));
            if !plugged.is_empty() {
                let shared = Arc::clone(&self.shared);
                drop(virtbus_host::task::spawn("undo ports", async move {
                    for error in unplug(&shared, plugged).await {
                        tracing::warn!("undoing a start: {error}");
                    }
                }));
            }
        }
    }
}

/// Gives ports back; returns what did not work out.
async fn unplug(shared: &Shared, ports: Vec<PluggedPort>) -> Vec<String> {
    let mut errors = Vec::new();
    for PluggedPort { network, uuid } in ports {
        if let Err(error) = shared.neighbours.networks.unplug(&network, uuid).await {
            errors.push(format!("port {uuid} of network '{network}': {error}"));
        }
    }
    errors
}

impl Held {
    fn is_empty(&self) -> bool {
        let Self { directories, owners, ports, log, helpers } = self;
        directories.is_empty() && owners.is_empty() && ports.is_empty() && log.is_none() && helpers.is_empty()
    }

    fn release(mut self, shared: &Shared, why: &str) -> (String, Vec<String>) {
        let said = self.log.as_ref().map(DomainLog::said).unwrap_or_default();
        if let Some(log) = &mut self.log {
            log.end(why);
        }
        let mut errors: Vec<String> = self.helpers.into_iter().flat_map(Helper::stop).collect();
        errors.extend(security::take_back(&self.owners, shared.config.settings.user.as_ref()));
        for directory in &self.directories {
            match std::fs::remove_dir_all(directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    errors.push(format!("cannot remove '{}': {error}", directory.display()));
                }
                _ => {}
            }
        }
        for port in self.ports {
            shared.ports.free(port);
        }
        (said, errors)
    }
}
