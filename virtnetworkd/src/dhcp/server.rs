//! One running dnsmasq: started, told of changes, watched, found again, stopped.
//!
//! dnsmasq puts itself into the background, so it is nobody's child: its pid file says which process it is, and a pidfd
//! holds it from then on. A process is believed to be it only when its arguments name our configuration file.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use virtbus_api::{Error, ErrorDomain, Result};
use virtbus_host::process::{Process, Spawn};
use virtbus_schema::Network;
use virtbus_store::Durability;

use super::{Places, config, helper, in_the_way, leases, resolved};

/// How long dnsmasq may take to start: it reads its files and binds its sockets.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end when asked, and when killed.
const END: Duration = Duration::from_secs(5);
/// A server that ends this often within [`SPAN`] is not started again.
const MOST_RESTARTS: usize = 5;
/// See [`MOST_RESTARTS`].
const SPAN: Duration = Duration::from_secs(60);

/// The server of one network.
#[derive(Debug)]
pub struct Server {
    places: Places,
    name: String,
    bridge: String,
    process: Process,
    restarts: Vec<Instant>,
}

impl Server {
    /// Writes the files and starts the server. The bridge must be up and have its addresses. A server that an interrupted
    /// start has left is ended first.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` with dnsmasq's own words, or naming the process that holds a port; `SYSTEM_ERROR` when files cannot
    /// be written.
    pub async fn start(places: &Places, network: &Network, bridge: &str) -> Result<Self> {
        if let Some(left) = find(places, &network.name) {
            end(&left).await;
        }
        let process = match run(places, network, bridge).await {
            Ok(process) => process,
            Err(error) => {
                // Leases and guests stay: a network that has been there before knows them again.
                let _ = remove(&own_files(places, &network.name));
                return Err(error);
            }
        };
        Ok(Self {
            places: places.clone(),
            name: network.name.clone(),
            bridge: bridge.to_owned(),
            process,
            restarts: Vec::new(),
        })
    }

    /// Finds the server that runs for the network `name` since before this daemon; `None` when there is none.
    pub fn adopt(places: &Places, name: &str, bridge: &str) -> Option<Self> {
        let process = find(places, name)?;
        Some(Self {
            places: places.clone(),
            name: name.to_owned(),
            bridge: bridge.to_owned(),
            process,
            restarts: Vec::new(),
        })
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    /// Waits until it has ended, which it does not by itself. Cancel-safe.
    pub async fn ended(&self) {
        if self.process.ended().await.is_err() {
            // No descriptor is left to watch it by. Whoever waits must not take that for its end.
            std::future::pending::<()>().await;
        }
    }

    /// Starts it again after it [`ended`](Self::ended), unless that has happened too often of late.
    ///
    /// # Errors
    /// `OPERATION_FAILED` when it ends again and again; as [`Server::start`].
    pub async fn restart(&mut self, network: &Network) -> Result<()> {
        self.restarts.retain(|at| at.elapsed() < SPAN);
        if self.restarts.len() >= MOST_RESTARTS {
            let text = format!("dnsmasq of network '{}' ended {MOST_RESTARTS} times within a minute", self.name);
            return Err(Error::failed(text).in_domain(ErrorDomain::Network));
        }
        self.restarts.push(Instant::now());
        write(&self.places, network, &self.bridge)?;
        self.process = launch(&self.places, network, &self.bridge).await?;
        Ok(())
    }

    /// Makes it work by what the document says now: kept addresses and names it reads anew, for all else it is started
    /// anew. Leases stay.
    ///
    /// # Errors
    /// As [`Server::start`]; it may then not run any longer.
    pub async fn update(&mut self, network: &Network) -> Result<()> {
        let before = std::fs::read_to_string(self.places.config(&self.name)).unwrap_or_default();
        write(&self.places, network, &self.bridge)?;
        let now = config::files(network, &self.bridge, &self.places).config;
        if before == now && self.process.is_alive() {
            let failed = |error: io::Error| {
                let text = format!("cannot tell dnsmasq of network '{}' to read its files", self.name);
                Error::system(text, &error).in_domain(ErrorDomain::Network)
            };
            return self.process.signal(Signal::SIGHUP).map_err(failed);
        }
        end(&self.process).await;
        self.process = launch(&self.places, network, &self.bridge).await?;
        Ok(())
    }

    /// Ends it. The files stay: leases are good for when the network starts again.
    pub async fn stop(self) {
        end(&self.process).await;
        // Best effort: what it names is gone, which its reader checks.
        let _ = std::fs::remove_file(self.places.pid(&self.name));
    }
}

/// Removes all files of a network that is no more, or does not come again.
///
/// # Errors
/// `SYSTEM_ERROR` for the first that is still there; the others are removed all the same.
pub fn forget(places: &Places, name: &str, bridge: &str) -> Result<()> {
    let [config, hosts, names, pid] = own_files(places, name);
    remove(&[config, hosts, names, pid, places.status(bridge), places.macs(bridge)])
}

/// The files that a start makes.
fn own_files(places: &Places, name: &str) -> [PathBuf; 4] {
    [places.config(name), places.hosts(name), places.names(name), places.pid(name)]
}

fn remove(files: &[PathBuf]) -> Result<()> {
    let removed = |file: &Path| match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", file)(error)),
        _ => Ok(()),
    };
    // All are tried; the first fault is told.
    files.iter().map(|file| removed(file)).fold(Ok(()), Result::and)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::system(format!("cannot {action} '{}'", path.display()), &error).in_domain(ErrorDomain::Network)
}

fn write(places: &Places, network: &Network, bridge: &str) -> Result<()> {
    for folder in [&places.files, &places.run] {
        DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed("create", folder))?;
    }
    let files = config::files(network, bridge, places);
    let config = places.config(&network.name);
    virtbus_store::replace(&config, files.config.as_bytes(), Durability::Process)
        .map_err(|error| failed("write", &config)(error.source))?;
    // dnsmasq reads these after it has become nobody.
    for (path, text) in [(places.hosts(&network.name), files.hosts), (places.names(&network.name), files.names)] {
        leases::replace_text(&path, text.as_bytes()).map_err(failed("write", &path))?;
    }
    Ok(())
}

/// Writes the files, starts the server and has it known where that is asked for.
async fn run(places: &Places, network: &Network, bridge: &str) -> Result<Process> {
    write(places, network, bridge)?;
    let process = launch(places, network, bridge).await?;
    match resolved::register(network, bridge).await {
        Ok(()) => Ok(process),
        Err(error) => {
            end(&process).await;
            Err(error)
        }
    }
}

async fn launch(places: &Places, network: &Network, bridge: &str) -> Result<Process> {
    let internal = |text: String| Error::internal(text).in_domain(ErrorDomain::Network);
    let mut spawn = Spawn::new(&places.dnsmasq)
        .arg(format!("--conf-file={}", places.config(&network.name).display()))
        .arg("--leasefile-ro")
        .arg(format!("--dhcp-script={}", places.helper.display()))
        .env_clear()
        .env(helper::BRIDGE, bridge);
    if places.files != Path::new(helper::DEFAULT_FILES) {
        spawn = spawn.env(helper::FILES, &places.files);
    }
    let output = spawn.output(START).await;
    let output = output.map_err(|error| internal(format!("network '{}'", network.name)).caused_by(error))?;
    if !output.exit.success() {
        let words = output.last_error_line();
        let text = format!("dnsmasq of network '{}': {}: {words}", network.name, output.exit);
        return Err(internal(match in_the_way::holder(network, places, &words) {
            Some(holder) => format!("{text} ({holder})"),
            None => text,
        }));
    }
    find(places, &network.name).ok_or_else(|| {
        let file = places.pid(&network.name);
        internal(format!(
            "dnsmasq of network '{}' has started, but is not the process in '{}'",
            network.name,
            file.display()
        ))
    })
}

/// The process in the pid file, if it is dnsmasq with our configuration.
fn find(places: &Places, name: &str) -> Option<Process> {
    let pid: i32 = virtbus_host::sysfs::number(&places.pid(name))?;
    let process = Process::open_pid(pid).ok()?;
    let ours = format!("--conf-file={}", places.config(name).display());
    let is_ours = process.cmdline().ok()?.iter().any(|argument| argument == ours.as_bytes());
    is_ours.then_some(process)
}

async fn end(process: &Process) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        // Gone already is what is wanted.
        let _ = process.signal(signal);
        if tokio::time::timeout(END, process.ended()).await.is_ok() {
            return;
        }
    }
    tracing::warn!(pid = process.pid(), "dnsmasq does not end even when killed");
}
