//! From a document to a running QEMU with its monitor answering: four steps, each a type made from the one before.
//!
//! ```text
//! Prepared ──► Spawned ──► Connected ──► Running
//! files, fds    process     monitor       known to the owner
//! ```
//!
//! Dropping any of them undoes what it and those before it did: the process is killed, files go back to their owners,
//! directories and ports are free again. Nothing here knows of states, of events or of who asked.

mod beside;
mod claims;
mod files;
mod living;
mod network;
mod overlay;
mod ports;
mod prepare;
mod rates;
mod rights;
mod secrets;
mod threads;
mod told;
mod usb;
mod vcpus;
mod volumes;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use virtbus_api::{Error, Result, flags::StartFlags, hypervisor::State};
use virtbus_qmp::{Client, Events, commands::ChardevInfo};
use virtbus_schema::domain::{
    Domain,
    device::chardev::{CharSource, Chardev},
};
use virtbus_schema::domain_status::{DomainStatus, MonitorSocket, VcpuThread};

use super::{
    group,
    helper::{Plan, Serves},
    hook,
    monitor::{Monitor, to_error},
    spawn::{Process, Tentative},
};
use crate::driver::Shared;

use claims::Alive;
pub(crate) use claims::Claims;
pub(crate) use network::carry;
pub(crate) use ports::{as_defined, remember};
use prepare::Prepared;
pub(crate) use prepare::connect;
use told::Answers;

/// How long QEMU may take from its start to the answers of its monitor. A guest with much memory to clear takes long.
const UP: Duration = Duration::from_secs(60);
/// How long a failure is held back until everything is given back.
const UNDONE: Duration = Duration::from_secs(5);

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Order {
    /// The document, complete as a definition is.
    pub(crate) document: Arc<Domain>,
    /// The runtime id.
    pub(crate) id: u32,
    /// How.
    pub(crate) flags: StartFlags,
}

/// A QEMU that is up; its vCPUs wait for `cont`.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: u32,
    /// The document of what runs.
    pub(crate) document: Domain,
    pub(crate) process: Process,
    pub(crate) monitor: Monitor,
    pub(crate) events: Events,
    pub(crate) claims: Claims,
}

/// A QEMU process that has not spoken yet.
struct Spawned {
    document: Domain,
    process: Tentative,
    socket: std::os::unix::net::UnixStream,
    claims: Claims,
}

/// A QEMU that speaks.
struct Connected {
    document: Domain,
    process: Tentative,
    monitor: Monitor,
    events: Events,
    claims: Claims,
    answers: Answers,
}

/// Starts QEMU as far as its monitor.
///
/// # Errors
/// What kept it from coming up, in QEMU's own words where it had any. Nothing is left behind then.
pub(crate) async fn launch(shared: Arc<Shared>, order: Order) -> Result<Running> {
    let (alive, mut given_back) = tokio::sync::mpsc::channel(1);
    let up = up(&shared, order, alive).await;
    if up.is_err() {
        // Whoever hears of the failure may try again at once.
        let _ = tokio::time::timeout(UNDONE, given_back.recv()).await;
    }
    up
}

async fn up(shared: &Arc<Shared>, order: Order, alive: Alive) -> Result<Running> {
    let id = order.id;
    let prepared = Prepared::new(shared, order, alive).await?;
    hook::run(&shared.config.layout.hooks, hook::Turn::Start, &prepared.document).await?;
    let spawned = prepared.spawn().await?;
    let connected = spawned.connect().await?;
    connected.settle(id).await
}

/// What is to be run in the place of a helper of a running guest.
///
/// # Errors
/// A program is not installed any more, or a file cannot be made.
pub(crate) fn plan_again(document: &Domain, claims: &Claims, serves: &Serves) -> Result<Option<Plan>> {
    let shared = claims.shared();
    let (layout, user) = (&shared.config.layout, shared.config.settings.user.as_ref());
    let (home, secrets) = (claims.home(), HashMap::new());
    let guest =
        beside::Guest { document, layout, short_name: &claims.short_name, home: &home, user, secrets: &secrets };
    beside::plan_again(&guest, serves)
}

/// The command line a document would be started with, as a shell would take it.
///
/// # Errors
/// What is wrong with the document on this host.
pub(crate) async fn native(shared: &Arc<Shared>, document: &Domain) -> Result<String> {
    prepare::native(shared, document).await
}

/// `ID-NAME`, the name cut to 20 characters as the reference does; unique by the id alone.
pub(crate) fn short_name(id: u32, name: &str) -> String {
    let name: String = name.chars().take(20).collect();
    format!("{id}-{name}")
}

/// The file of a document's variable store, where it has one that is a file.
pub(crate) fn nvram_file(document: &Domain) -> Option<PathBuf> {
    let nvram = document.os.nvram.as_ref()?;
    let source = nvram.source.as_ref().and_then(|it| it.file.clone());
    source.or_else(|| nvram.path.clone()).map(PathBuf::from)
}

/// Where the monitor of a running domain listens.
pub(crate) fn monitor_path(lib: &Path, short_name: &str) -> PathBuf {
    lib.join(format!("domain-{short_name}")).join("monitor.sock")
}

/// What is kept of a running domain; without a process it is about to get one.
pub(crate) fn status(claims: &Claims, document: &Domain, process: Option<&Process>, state: State) -> DomainStatus {
    let (word, reason) = crate::domain::words(state);
    let layout = &claims.shared().config.layout;
    let short_name = &claims.short_name;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    DomainStatus {
        state: word.to_owned(),
        reason: reason.to_owned(),
        pid: process.and_then(|it| u32::try_from(it.pid()).ok()).unwrap_or(0),
        start_time: process.map(Process::start_time),
        monitor: Some(MonitorSocket { path: text(monitor_path(&layout.lib, short_name)), kind: "unix".to_owned() }),
        taints: Vec::new(),
        vcpus: claims.vcpus.clone(),
        devices: Vec::new(),
        lib_dir: Some(text(layout.lib.join(format!("domain-{short_name}")))),
        channel_dir: Some(text(layout.channels.join(short_name))),
        owners: claims.owners().to_vec(),
        ports: claims.plugged().to_vec(),
        fakereboot: false,
        autodestroy: false,
        domain: document.clone(),
    }
}

impl Prepared {
    /// Runs QEMU. The status file is written before the answer, so that a daemon that ends now finds the process again.
    async fn spawn(self) -> Result<Spawned> {
        let spawned = tokio::task::spawn_blocking(move || {
            let Self { document, spawn, socket, claims } = self;
            let files = &claims.shared().status;
            let kept = |error: virtbus_store::Error| Error::system(error.to_string(), &error.source);
            // Written before there is a process: a daemon that ends right after it was made must leave a trace of it.
            files.save(&status(&claims, &document, None, State::PausedStartingUp)).map_err(kept)?;
            let child = spawn.spawn().map_err(|error| Error::internal("cannot start QEMU").caused_by(error))?;
            let process = Process::from(child);
            let status = status(&claims, &document, Some(&process), State::PausedStartingUp);
            let pid = process.pid();
            let process = Tentative::new(process);
            if let Some(group) = claims.group() {
                group.add_process(pid).map_err(|error| group::refused("its control group", error))?;
            }
            files.save(&status).and_then(|()| files.save_pid(&document.name, pid)).map_err(kept)?;
            Ok(Spawned { document, process, socket, claims })
        });
        spawned.await.map_err(|error| Error::internal("starting QEMU").caused_by(error))?
    }
}

impl Spawned {
    /// Shakes hands and asks everything the owner needs, all in one write. QEMU's end is heard at once.
    async fn connect(mut self) -> Result<Connected> {
        let (client, events) = Client::new(self.socket, format!("domain '{}'", self.document.name))
            .map_err(|error| Error::system("cannot watch the monitor", &error))?;
        let asked = told::tell(&client, &self.document, UP);
        let answered = tokio::select! {
            biased;
            answered = asked => Some(answered),
            () = self.process.ended() => None,
        };
        let error = match answered {
            Some(Ok(answers)) => {
                let Self { document, process, claims, .. } = self;
                let monitor = Monitor::new(client);
                return Ok(Connected { document, process, monitor, events, claims, answers });
            }
            Some(Err(error)) if !matches!(error, virtbus_qmp::Error::Disconnected { .. }) => to_error(error),
            // A closed monitor is the process ending; its words come with its end.
            _ => {
                let _ = tokio::time::timeout(Duration::from_secs(2), self.process.ended()).await;
                Error::internal(format!("process exited while connecting to monitor: {}", self.claims.said()))
            }
        };
        Err(error)
    }
}

impl Connected {
    /// Writes what QEMU said into the document, and puts its threads where they are wanted.
    async fn settle(self, id: u32) -> Result<Running> {
        let Self { mut document, process, monitor, events, mut claims, answers } = self;
        let Answers { cpus, chardevs, iothreads } = answers;
        set_terminals(&mut document, &chardevs);
        claims.vcpus = cpus
            .iter()
            .filter_map(|it| {
                let id = u32::try_from(it.cpu_index).ok()?;
                Some(VcpuThread { id, pid: u32::try_from(it.thread_id).ok()? })
            })
            .collect();
        let pid = process.pid().ok_or_else(|| Error::internal("QEMU has gone"))?;
        let placed = tokio::task::spawn_blocking(move || {
            let threads = threads::Threads { pid, vcpus: &claims.vcpus, iothreads: &iothreads };
            threads::place(&document, &threads, claims.group())?;
            Ok::<_, Error>((document, claims))
        });
        let placed = placed.await.map_err(|error| Error::internal("placing QEMU's threads").caused_by(error))?;
        let (document, mut claims) = placed?;
        let process = process.keep().ok_or_else(|| Error::internal("QEMU has gone"))?;
        claims.keep();
        Ok(Running { id, document, process, monitor, events, claims })
    }
}

/// Puts the terminals that QEMU opened where they belong.
fn set_terminals(document: &mut Domain, chardevs: &[ChardevInfo]) {
    let path_of = |alias: &str| {
        let label = format!("char{alias}");
        let info = chardevs.iter().find(|it| it.label == label)?;
        info.filename.strip_prefix("pty:").map(str::to_owned)
    };
    let set = |chardev: &mut Chardev, alias: Option<&str>| {
        if let (Chardev::Pty { source, .. }, Some(path)) = (chardev, alias.and_then(path_of)) {
            source.get_or_insert_with(CharSource::default).path = Some(path);
        }
    };
    let devices = &mut document.devices;
    for it in &mut devices.serials {
        set(&mut it.chardev, it.info.alias.as_ref().map(|it| it.name.as_str()));
    }
    for it in &mut devices.parallels {
        set(&mut it.chardev, it.info.alias.as_ref().map(|it| it.name.as_str()));
    }
    for it in &mut devices.consoles {
        set(&mut it.chardev, it.info.alias.as_ref().map(|it| it.name.as_str()));
        if let Chardev::Pty { source, .. } = &it.chardev {
            it.tty = source.as_ref().and_then(|it| it.path.clone());
        }
    }
    for it in &mut devices.channels {
        set(&mut it.chardev, it.info.alias.as_ref().map(|it| it.name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_named_as_the_reference_names_them() {
        assert_eq!(short_name(1, "t1"), "1-t1");
        assert_eq!(short_name(12, "a-name-of-more-than-twenty"), "12-a-name-of-more-than-");
    }
}
