//! The first step of a start: everything on the host that QEMU needs, and its command line.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::{Error, ErrorCode, Result, flags::StartFlags, hypervisor::State, storage::SecretValue};
use virtbus_host::pci::SYS;
use virtbus_host::process::Spawn;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::{graphics::Graphics, interface::Interface};
use virtbus_schema::xml::YesNo;

use super::{
    Alive, Claims, Order, beside, files, living::bring_to_life, monitor_path, network, nvram_file, overlay, ports,
    rates, rights, secrets, short_name, usb, volumes,
};
use crate::device::{
    HostEnds, Network, disk, memory as memory_device,
    secret::{Secrets, Wanted},
};
use crate::driver::Shared;
use crate::machine;
use crate::process::{
    argv::{self, Backing, CommandLine, Monitor},
    capabilities::QemuCaps,
    group,
    helper::Plan,
    hook,
    log::DomainLog,
    passthrough,
};
use crate::security;

/// A guest that could be started: nothing runs yet, everything lies ready.
pub(super) struct Prepared {
    pub(super) document: Domain,
    pub(super) spawn: Spawn,
    /// Our end of the monitor's connection; QEMU gets the listening socket and finds us waiting.
    pub(super) socket: UnixStream,
    pub(super) claims: Claims,
}

/// Where a running guest's own files lie.
pub(crate) struct Places {
    /// `domain-ID-NAME`, QEMU's home.
    pub(crate) home: PathBuf,
    /// Sockets of channels.
    pub(crate) channels: PathBuf,
    /// The monitor's socket.
    pub(crate) monitor: PathBuf,
    /// Files that are the guest's memory.
    pub(crate) memory: PathBuf,
    /// Its number and name, by which its directories are called.
    pub(crate) short_name: String,
}

impl Places {
    fn new(shared: &Shared, short_name: &str) -> Self {
        let layout = &shared.config.layout;
        Self {
            home: layout.lib.join(format!("domain-{short_name}")),
            channels: layout.channels.join(short_name),
            monitor: monitor_path(&layout.lib, short_name),
            memory: layout.lib.join("ram").join(short_name),
            short_name: short_name.to_owned(),
        }
    }
}

impl Prepared {
    pub(super) async fn new(shared: &Arc<Shared>, order: Order, alive: Alive) -> Result<Self> {
        let binary = machine::emulator(&order.document, Path::exists)?;
        let caps = shared.capabilities.find(&binary).await?;
        let mut document = Domain::clone(&order.document);
        shared.documents.settle_cpu(&shared.capabilities, &mut document, &caps).await?;
        document.id = Some(order.id);
        let mut claims = Claims::new(Arc::clone(shared), short_name(order.id, &document.name));
        claims.set_alive(alive);
        claims.set_hooked(Arc::new(document.clone()));
        hook::run(&shared.config.layout.hooks, hook::Turn::Prepare, &document).await?;
        volumes::locate(&mut document, &*shared.neighbours.storage).await?;
        let secrets = secrets::values(&*shared.neighbours.storage, &document).await?;
        ports::plug(&mut document, &mut claims).await?;
        for function in passthrough::wanted(&document).iter().filter(|it| it.managed) {
            passthrough::load_driver(&function.driver).await;
        }
        // One stretch of small file operations; an image on a dead server hangs this thread and nothing else.
        let flags = order.flags;
        let prepared = tokio::task::spawn_blocking(move || prepare(claims, &caps, document, secrets, flags)).await;
        let (mut prepared, beside) =
            prepared.map_err(|error| Error::internal("preparing the start").caused_by(error))??;
        overlay::fill(&prepared.document).await?;
        beside::start(beside, &mut prepared.claims).await?;
        rates::limit(&prepared.document).await?;
        Ok(prepared)
    }
}

fn bridge_of(card: &Interface) -> Option<String> {
    card.source.as_ref().and_then(|it| it.bridge.clone())
}

fn prepare(
    mut claims: Claims,
    caps: &QemuCaps,
    mut document: Domain,
    secrets: HashMap<Wanted, SecretValue>,
    flags: StartFlags,
) -> Result<(Prepared, Vec<Plan>)> {
    let shared = &Arc::clone(claims.shared());
    let plugged: Vec<_> = document.devices.interfaces.iter().map(bridge_of).collect();
    machine::complete(&mut document, caps, &shared.config.layout.nvram)?;
    // A definition has no bridge behind a network; what is about to run has.
    for (card, bridge) in document.devices.interfaces.iter_mut().zip(plugged) {
        if let Some(source) = &mut card.source {
            source.bridge = bridge;
        }
    }
    let places = Places::new(shared, &claims.short_name);
    disk::read_chains(&mut document)?;
    usb::settle(&mut document)?;
    bring_to_life(&mut document, shared, &places, &mut claims)?;
    overlay::place(&mut document, &mut claims)?;
    take_functions(&document, &mut claims)?;
    passthrough::settle_driver(&mut document)?;
    make_places(shared, &document, &places, &mut claims)?;
    let key = make_key(shared, &places)?;
    settle_saved_state(shared, &document, flags)?;
    make_nvram(shared, &document, flags.contains(StartFlags::RESET_NVRAM))?;
    let (monitor, socket) = listen(&places.monitor, shared)?;
    let mut log = DomainLog::open(&shared.config.layout.log, &document.name)
        .map_err(|error| Error::system("cannot open the log of the domain", &error))?;
    let user = shared.config.settings.user.as_ref();
    beside::make_stores(&document)?;
    if let Some(user) = user.filter(|_| shared.config.settings.relabel) {
        security::give(&files::used(&document, caps), user, claims.owners_mut())?;
    }
    let place = group::Place::of(&document, document.id.unwrap_or_default(), &shared.config.layout.lib);
    if let Some(group) = group::make(&mut document, &place)? {
        claims.set_group(group);
    }
    let networks = network::open(&mut document, &mut claims)?;
    let mut host = beside::open(&mut document)?;
    let guest = beside::Guest {
        document: &document,
        layout: &shared.config.layout,
        short_name: &claims.short_name,
        home: &places.home,
        user,
        secrets: &secrets,
    };
    let beside = beside::plan(&guest, &mut host)?;
    let secrets = Secrets::new(key, secrets);
    let command =
        command(shared, caps, &document, &places, Ends { monitor: Monitor::Fd(monitor), networks, host, secrets })?;
    let out = log.descriptor().map_err(|error| Error::system("cannot open the log of the domain", &error))?;
    let again = log.descriptor().map_err(|error| Error::system("cannot open the log of the domain", &error))?;
    let mut spawn = Spawn::new(&command.program).env_clear().args(&command.args).setsid().cwd("/").umask(0o002);
    for (name, value) in &command.env {
        spawn = spawn.env(name, value);
    }
    for (fd, number) in command.fds {
        spawn = spawn.fd(fd, number);
    }
    spawn = spawn.stdout(out).stderr(again);
    if let Some(user) = user {
        spawn = spawn.uid_gid(user.uid, user.gid, &user.groups);
    }
    spawn = rights::grant(spawn, &shared.config.settings, &document);
    let words: Vec<String> =
        std::iter::once(command.program.display().to_string()).chain(command.args.iter().cloned()).collect();
    log.begin(&versions(shared, caps), spawn.environment(), &words)
        .map_err(|error| Error::system("cannot write the log of the domain", &error))?;
    claims.set_log(log);
    volumes::name_again(&mut document);
    Ok((Prepared { document, spawn, socket, claims }, beside))
}

/// Whether and how QEMU's command line is asked for by `domxml-to-native`.
pub(super) async fn native(shared: &Arc<Shared>, document: &Domain) -> Result<String> {
    let binary = machine::emulator(document, Path::exists)?;
    let caps = shared.capabilities.find(&binary).await?;
    let mut document = document.clone();
    shared.documents.settle_cpu(&shared.capabilities, &mut document, &caps).await?;
    let short_name = format!("-1-{}", document.name.chars().take(20).collect::<String>());
    let places = Places::new(shared, &short_name);
    let mut claims = Claims::new(Arc::clone(shared), short_name);
    volumes::locate(&mut document, &*shared.neighbours.storage).await?;
    argv::as_shown(&mut document)?;
    bring_to_life(&mut document, shared, &places, &mut claims)?;
    for graphics in &mut document.devices.graphics {
        // A port QEMU would be given is not given out for a command line that is only shown.
        if let Graphics::Vnc(vnc) = graphics
            && vnc.websocket_generated == Some(YesNo::Yes)
        {
            vnc.websocket = Some(-1);
        }
    }
    let way = Monitor::Path(places.monitor.clone());
    let host = beside::open_shown(&document)?;
    // The key is thrown away: what is shown tells nobody a secret.
    let key = random::<32>().map_err(|error| Error::system("cannot make a key for secrets", &error))?;
    let secrets = Secrets::new(key, secrets::values(&*shared.neighbours.storage, &document).await?);
    let ends = Ends { monitor: way, networks: HashMap::new(), host, secrets };
    let command = command(shared, &caps, &document, &places, ends)?;
    let env = command.env.iter().map(|(name, value)| format!("{name}={value}"));
    let words = std::iter::once(command.program.display().to_string()).chain(command.args.iter().cloned());
    let words: Vec<String> = env.chain(words).collect();
    Ok(super::super::log::line(&words))
}

/// What QEMU is connected to.
struct Ends {
    monitor: Monitor,
    networks: HashMap<String, Network>,
    host: HostEnds,
    secrets: Secrets,
}

fn command(shared: &Shared, caps: &QemuCaps, document: &Domain, places: &Places, ends: Ends) -> Result<CommandLine> {
    let Ends { monitor, networks, host, secrets } = ends;
    let settings = &shared.config.settings;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    argv::build(
        document,
        argv::Cx {
            caps,
            home: &places.home,
            monitor,
            networks,
            host,
            sandbox: settings.sandbox.unwrap_or(true),
            dump_guest_core: settings.dump_guest_core,
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            secrets,
            backing: Backing::of_host(places.memory.clone(), &places.short_name),
        },
    )
}

fn versions(shared: &Shared, caps: &QemuCaps) -> String {
    let number = shared.config.library_version;
    let uname = nix::sys::utsname::uname();
    let part = |it: Option<&std::ffi::OsStr>| it.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    format!(
        "libvirt version: {}.{}.{}, package: Virtbus {}, qemu version: {}{}, kernel: {}, hostname: {}",
        number / 1_000_000,
        number / 1000 % 1000,
        number % 1000,
        env!("CARGO_PKG_VERSION"),
        caps.version,
        caps.package,
        part(uname.as_ref().ok().map(|it| it.release())),
        part(uname.as_ref().ok().map(|it| it.nodename())),
    )
}

/// PCI functions of the host become the guest's.
fn take_functions(document: &Domain, claims: &mut Claims) -> Result<()> {
    let shared = Arc::clone(claims.shared());
    let sys = Path::new(SYS);
    let mut found = Vec::new();
    let all = passthrough::wanted(document);
    for wanted in &all {
        let function = passthrough::check(sys, wanted, &shared.functions, &document.name)?;
        shared.functions.take(&wanted.name, &document.name)?;
        claims.add_function(wanted.clone());
        found.push((function, wanted));
    }
    let cards: Vec<&Interface> =
        document.devices.interfaces.iter().filter(|it| network::function::name(it).is_some()).collect();
    cards.iter().try_for_each(|card| network::function::check(sys, card))?;
    found.iter().try_for_each(|(function, _)| passthrough::check_group(function, &all))?;
    if !cards.is_empty() || found.iter().any(|(_, wanted)| wanted.managed) {
        // So that a daemon that ends in between gives them back.
        let status = super::status(claims, document, None, State::PausedStartingUp);
        shared.status.save(&status).map_err(|error| Error::system(error.to_string(), &error.source))?;
    }
    // As long as the host's driver has them, their own addresses can be seen and kept.
    for card in cards {
        claims.add_card(card.clone());
        network::function::hold(sys, &shared.config.layout.functions(), card)?;
    }
    found.iter().try_for_each(|(function, wanted)| passthrough::detach(function, wanted))
}

fn make_places(shared: &Shared, document: &Domain, places: &Places, claims: &mut Claims) -> Result<()> {
    let user = shared.config.settings.user.as_ref();
    let backing = Backing::of_host(places.memory.clone(), &places.short_name);
    let mut memory = argv::memory_directories(document, &backing)?;
    if document.devices.memories.iter().any(|it| memory_device::has_own_file(it, document)) {
        memory.push(places.memory.clone());
        memory.dedup();
    }
    for directory in [&places.home, &places.channels].into_iter().chain(&memory) {
        let cannot =
            |error: io::Error| Error::system(format!("cannot create directory '{}'", directory.display()), &error);
        if let Some(parent) = directory.parent() {
            std::fs::create_dir_all(parent).map_err(cannot)?;
        }
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o750);
        match builder.create(directory) {
            // What another daemon left; ids are not used twice while a guest runs.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(cannot)?,
        }
        claims.add_directory(directory.clone());
        security::own(directory, user).map_err(cannot)?;
    }
    Ok(())
}

/// The key that secrets are encrypted with on their way to QEMU, which finds it in its directory.
fn make_key(shared: &Shared, places: &Places) -> Result<[u8; 32]> {
    let user = shared.config.settings.user.as_ref();
    let key = places.home.join("master-key.aes");
    let cannot = |error: io::Error| Error::system(format!("cannot write '{}'", key.display()), &error);
    let bytes = random::<32>().map_err(cannot)?;
    write_private(&key, &bytes).map_err(cannot)?;
    security::own(&key, user).map_err(cannot)?;
    Ok(bytes)
}

/// A saved state waits to be restored, which is not done yet. Booting instead would leave the guest's disks in the middle
/// of something, so that has to be asked for.
fn settle_saved_state(shared: &Shared, document: &Domain, flags: StartFlags) -> Result<()> {
    let saved = shared.config.layout.save.join(format!("{}.save", document.name));
    if !saved.exists() {
        return Ok(());
    }
    if !flags.contains(StartFlags::FORCE_BOOT) {
        let text = format!("restoring '{}' is not supported yet; --force-boot discards it", saved.display());
        return Err(Error::new(ErrorCode::OperationUnsupported, text));
    }
    std::fs::remove_file(&saved).map_err(|error| Error::system(format!("cannot remove '{}'", saved.display()), &error))
}

/// Makes a UEFI guest's variable store from its template, if it has none yet.
fn make_nvram(shared: &Shared, document: &Domain, anew: bool) -> Result<()> {
    let Some(path) = nvram_file(document).filter(|it| anew || !it.exists()) else { return Ok(()) };
    let template = document.os.nvram.as_ref().and_then(|it| it.template.clone());
    let Some(template) = template else { return Ok(()) };
    let cannot =
        |error: io::Error| Error::system(format!("cannot make '{}' from '{template}'", path.display()), &error);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(cannot)?;
    }
    let copy = || io::copy(&mut std::fs::File::open(&template)?, &mut create_private(&path)?);
    copy().map_err(cannot)?;
    security::own(&path, shared.config.settings.user.as_ref()).map_err(cannot)
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    io::Write::write_all(&mut create_private(path)?, content)
}

/// A new file in the place of any old one. Its directory may be QEMU's user's, who may have put a link there.
fn create_private(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

/// A listening socket at `path` with our own connection waiting in it, so that nobody polls for QEMU to be up. The
/// path may be longer than a socket's name can be: both ends go through the directory's descriptor.
fn listen(path: &Path, shared: &Shared) -> Result<(OwnedFd, UnixStream)> {
    let cannot = |error: io::Error| Error::system(format!("cannot listen on '{}'", path.display()), &error);
    let short = ShortPath::of(path).map_err(cannot)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&short.path).map_err(cannot)?;
    security::own(path, shared.config.settings.user.as_ref()).map_err(cannot)?;
    let stream = UnixStream::connect(&short.path).map_err(cannot)?;
    Ok((listener.into(), stream))
}

/// Connects to a monitor that an earlier daemon set up.
///
/// # Errors
/// As connect(2).
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(ShortPath::of(path)?.path)
}

/// The path itself, or `/proc/self/fd/N/NAME` for one that is longer than a socket's name can be.
struct ShortPath {
    path: PathBuf,
    _directory: Option<std::fs::File>,
}

/// Bytes of a socket's name (sun_path), with room for its end.
const LONGEST_SOCKET: usize = 100;

impl ShortPath {
    fn of(path: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= LONGEST_SOCKET {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let directory = std::fs::File::open(parent)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        Ok(Self { path, _directory: Some(directory) })
    }
}
