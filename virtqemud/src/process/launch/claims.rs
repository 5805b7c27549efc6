//! What a running guest holds on the host: files that were given away, directories, ports, its log.
//!
//! Released when the guest has ended, or when dropped before it ran. Dropped afterwards they are left as they are: the
//! guest outlives this daemon. Release goes on past errors and returns them all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_host::cgroup::Group;
use virtbus_host::pci::SYS;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::interface::Interface;
use virtbus_schema::domain_status::{DomainStatus, FileOwner, PluggedPort, VcpuThread};

use crate::driver::Shared;
use crate::process::group;
use crate::process::helper::Helper;
use crate::process::hook;
use crate::process::log::DomainLog;
use crate::process::passthrough::{self, Wanted};
use crate::security;

/// Whoever holds the other end hears when the last of these is dropped.
pub(crate) type Alive = tokio::sync::mpsc::Sender<()>;

/// What is taken back in the end.
#[derive(Debug)]
pub(crate) struct Claims {
    shared: Arc<Shared>,
    /// Everything but `shared`, so that it can be moved out when released.
    held: Held,
    /// Ports of networks that the guest is plugged into.
    plugged: Vec<PluggedPort>,
    /// What scripts are told of the guest, once they have been told that it is being made ready.
    hooked: Option<Arc<Domain>>,
    /// The threads of the vCPUs, for the status file.
    pub(crate) vcpus: Vec<VcpuThread>,
    /// `ID-NAME`.
    pub(crate) short_name: String,
    /// Whether the start may still fail. A running guest's claims outlive the daemon.
    tentative: bool,
    /// Dropped when everything is given back.
    alive: Option<Alive>,
}

#[derive(Debug, Default)]
struct Held {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
    group: Option<Group>,
    functions: Vec<Wanted>,
    owners: Vec<FileOwner>,
    ports: Vec<u16>,
    cards: Vec<Interface>,
    log: Option<DomainLog>,
    helpers: Vec<Helper>,
}

impl Claims {
    /// Nothing held yet.
    pub(crate) fn new(shared: Arc<Shared>, short_name: String) -> Self {
        Self {
            shared,
            held: Held::default(),
            plugged: Vec::new(),
            hooked: None,
            vcpus: Vec::new(),
            short_name,
            tentative: true,
            alive: None,
        }
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
        for function in passthrough::wanted(&status.domain) {
            // Of a start that did not come so far, another guest may have it; then it is not this one's to give back.
            if shared.functions.take(&function.name, name).is_ok() {
                claims.add_function(function);
            }
        }
        claims.held.files = super::overlay::files(&status.domain);
        claims.held.group = group::Place::of(&status.domain, id, &layout.lib).find();
        claims.add_directory(home);
        claims.add_directory(or(&status.channel_dir, layout.channels.join(&short_name)));
        claims.tentative = false;
        claims.hooked = Some(Arc::new(status.domain.clone()));
        claims.held.cards = super::network::find(&status.domain, shared);
        let functions: Vec<String> = claims.held.functions.iter().map(|it| it.name.clone()).collect();
        claims.held.cards.retain(|it| super::network::function::name(it).is_none_or(|it| functions.contains(&it)));
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

    /// Holds `alive` until everything is given back.
    pub(crate) fn set_alive(&mut self, alive: Alive) {
        self.alive = Some(alive);
    }

    /// What scripts will be told of the guest when it has ended.
    pub(crate) fn set_hooked(&mut self, document: Arc<Domain>) {
        self.hooked = Some(document);
    }

    /// A directory to be removed in the end.
    pub(crate) fn add_directory(&mut self, directory: PathBuf) {
        self.held.directories.push(directory);
    }

    /// A file to be removed in the end.
    pub(crate) fn add_file(&mut self, file: PathBuf) {
        self.held.files.push(file);
    }

    /// The control group to be removed in the end.
    pub(crate) fn set_group(&mut self, group: Group) {
        self.held.group = Some(group);
    }

    /// A PCI function of the host to be given back in the end.
    pub(crate) fn add_function(&mut self, function: Wanted) {
        self.held.functions.push(function);
    }

    /// The guest's control group, if it has one.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.held.group.as_ref()
    }

    /// A network card whose end on the host is to be closed in the end.
    pub(crate) fn add_card(&mut self, card: Interface) {
        self.held.cards.push(card);
    }

    /// A port to be free in the end.
    pub(crate) fn add_port(&mut self, port: u16) {
        self.held.ports.push(port);
    }

    /// A process beside QEMU to be ended in the end.
    pub(crate) fn add_helper(&mut self, helper: Helper) {
        self.held.helpers.push(helper);
    }

    /// Waits for a helper to end while its QEMU runs: its place among the guest's. Cancel-safe.
    pub(crate) async fn helper_lost(&mut self) -> usize {
        if self.held.helpers.is_empty() {
            return std::future::pending().await;
        }
        let all = self.held.helpers.iter_mut().map(|it| Box::pin(it.lost()));
        let ((), at, _) = futures_util::future::select_all(all).await;
        at
    }

    /// A helper by its place.
    pub(crate) fn helper(&mut self, at: usize) -> Option<&mut Helper> {
        self.held.helpers.get_mut(at)
    }

    /// A helper in the place of the one that served the same.
    pub(crate) fn replace_helper(&mut self, helper: Helper) {
        match self.held.helpers.iter_mut().find(|it| it.serves() == helper.serves()) {
            Some(place) => *place = helper,
            None => self.held.helpers.push(helper),
        }
    }

    /// The guest's own directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.shared.config.layout.lib.join(format!("domain-{}", self.short_name))
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

    /// The same, to note what became of them.
    pub(crate) fn plugged_mut(&mut self) -> &mut [PluggedPort] {
        &mut self.plugged
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
        let hooked = self.hooked.take();
        give_back(Arc::clone(&self.shared), held, plugged, hooked, why).await
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        let plugged = std::mem::take(&mut self.plugged);
        let hooked = self.hooked.take();
        if !self.tentative || (held.is_empty() && plugged.is_empty() && hooked.is_none()) {
            return;
        }
        let (shared, alive) = (Arc::clone(&self.shared), self.alive.take());
        // Without a runtime the daemon is ending; the next one finds the status file.
        if tokio::runtime::Handle::try_current().is_ok() {
            drop(virtbus_host::task::spawn("undo a start", async move {
                for error in give_back(shared, held, plugged, hooked, "failed").await.1 {
                    tracing::warn!("undoing a start: {error}");
                }
                drop(alive);
            }));
        }
    }
}

/// The end of a guest, with the scripts that are told of it.
async fn give_back(
    shared: Arc<Shared>,
    held: Held,
    plugged: Vec<PluggedPort>,
    hooked: Option<Arc<Domain>>,
    why: &'static str,
) -> (String, Vec<String>) {
    let hooks = shared.config.layout.hooks.clone();
    if let Some(document) = &hooked {
        hook::tell(&hooks, hook::Turn::Stopped, document).await;
    }
    let own = Arc::clone(&shared);
    let released = tokio::task::spawn_blocking(move || held.release(&own, why));
    // The network daemon may be slow: its answer is not waited for longer than its neighbour's deadline.
    let (released, unplugged) = tokio::join!(released, unplug(&shared, plugged));
    let (said, mut errors) = released.unwrap_or_else(|error| (String::new(), vec![error.to_string()]));
    errors.extend(unplugged);
    if let Some(document) = &hooked {
        hook::tell(&hooks, hook::Turn::Release(why), document).await;
    }
    (said, errors)
}

/// Gives ports back; returns what did not work out.
async fn unplug(shared: &Shared, ports: Vec<PluggedPort>) -> Vec<String> {
    let mut errors = Vec::new();
    for PluggedPort { network, uuid, .. } in ports {
        if let Err(error) = shared.neighbours.networks.unplug(&network, uuid).await {
            errors.push(format!("port {uuid} of network '{network}': {error}"));
        }
    }
    errors
}

impl Held {
    fn is_empty(&self) -> bool {
        let Self { directories, files, group, functions, owners, ports, cards, log, helpers } = self;
        let none = [
            directories.is_empty(),
            files.is_empty(),
            owners.is_empty(),
            ports.is_empty(),
            helpers.is_empty(),
            functions.is_empty(),
            cards.is_empty(),
        ];
        none.into_iter().all(|it| it) && group.is_none() && log.is_none()
    }

    fn release(mut self, shared: &Shared, why: &str) -> (String, Vec<String>) {
        let said = self.log.as_ref().map(DomainLog::said).unwrap_or_default();
        if let Some(log) = &mut self.log {
            log.end(why);
        }
        let mut errors: Vec<String> = self.helpers.into_iter().flat_map(Helper::stop).collect();
        errors.extend(self.cards.iter().flat_map(|it| super::network::close(it, shared)));
        errors.extend(security::take_back(&self.owners, shared.config.settings.user.as_ref()));
        for function in &self.functions {
            errors.extend(passthrough::attach(Path::new(SYS), function));
            shared.functions.drop(&function.name);
        }
        for file in &self.files {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    errors.push(format!("cannot remove '{}': {error}", file.display()));
                }
                _ => {}
            }
        }
        if let Some(group) = &self.group
            && let Err(error) = group.remove()
        {
            errors.push(format!("cannot remove its control group: {error}"));
        }
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
