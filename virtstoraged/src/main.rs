//! virtstoraged: the daemon that manages storage pools, volumes and secrets. Here, and only here, engine and fronts meet.

mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;
use virtbus_api::StorageDriver;
use virtbus_api::neighbour::Local;
use virtbus_daemon::activation::{self, BoundFiles};
use virtbus_daemon::bus;
use virtbus_daemon::drain::{CLIENTS_DEADLINE, DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::start::Failure;
use virtbus_daemon::{Program, Started, Tasks, notify, start, tasks};
use virtbus_dbus_front::Bus;
use virtbus_dbus_front::neighbour::{self, Neighbour};
use virtbus_rpc::auth;
use virtbus_rpc::peer::SocketKind;
use virtbus_rpc::relay::Backends;
use virtbus_rpc::server::Limits;
use virtbus_rpc_front::{Front, Servers};
use virtstoraged::driver::Storage;
use virtstoraged::secret::SecretStore;

const PROGRAM: Program = Program {
    name: "virtstoraged",
    about: "Manages storage pools, volumes and secrets",
    version: env!("CARGO_PKG_VERSION"),
    libvirt: "11.3.0",
};
const BUS_NAME: &str = "org.libvirt.virtstoraged";

fn main() -> ExitCode {
    start::main(PROGRAM, run)
}

async fn run(mut started: Started) -> Result<ExitCode, Failure> {
    let signals = Signals::watch()?;
    started.warn_of_unknown_keys();
    let config = settings::of(&started.paths);
    let listeners = started.listen(PROGRAM.name)?;
    let _files = BoundFiles::of(&listeners);
    let peers = neighbour::bind(&started.paths.peer_socket(PROGRAM.name))?;

    let secrets = Arc::new(SecretStore::open(started.paths.secrets())?);
    let engine = Storage::new(config, secrets);
    engine.load().await?;
    let start_of_host = engine.start_of_host();
    let driver: Arc<dyn StorageDriver> = Arc::new(engine.clone());
    let (tasks, supervisor) = Tasks::new();

    let servers = Servers::new(
        PROGRAM.name,
        Front::of_storage(Arc::clone(&driver)),
        auth::of_configuration(&started.config.authentication(), bus::is_polkit_asked(&started.paths)),
        started.config.limits().map(Limits::of),
        // What others own is no part of a connection to one driver: calls of it are refused by name.
        Backends::new(),
    );
    activation::accept(listeners, &tasks, |role, socket| servers.clone().serve(role.pick(SocketKind::ALL), socket))?;
    tasks.at_stop("drain clients", servers.clone().drain(CLIENTS_DEADLINE));
    let calls = watch::Sender::new(0);
    let counts = vec![servers.client_count(), calls.subscribe()];
    let (own_uid, asked) =
        (nix::unistd::geteuid().as_raw(), Neighbour::Storage(Arc::new(Local(Arc::new(engine.clone())))));
    let stop = tasks.stop_token().cancelled_owned();
    tasks.essential("answer other daemons", neighbour::serve(peers, own_uid, asked, calls.clone(), stop));
    if bus::of(&started.paths).is_some() {
        let bus = Bus::of(started.paths.is_session());
        let kept = virtbus_dbus_front::keep(bus, BUS_NAME, own_uid, driver, calls, tasks.stop_token());
        drop(tasks.spawn("D-Bus", kept));
    }
    notify::ready();
    drop(tasks::spawn("first steps", async move {
        engine.start_with_host(start_of_host).await;
    }));

    let idle_timeout = started.args.idle_timeout();
    let life = Life { signals, supervisor, idle_timeout, counts };
    let reason = life.until_stopped(|| started.reread()).await;
    // Pools stay as they are; the next daemon takes them over.
    Ok(drain(&tasks, &reason, DEADLINE).await)
}
