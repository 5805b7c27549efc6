//! virtqemud: the daemon that manages QEMU guests. Here, and only here, engine and fronts meet.

mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;
use virtbus_api::HypervisorDriver;
use virtbus_daemon::activation::{self, BoundFiles};
use virtbus_daemon::bus;
use virtbus_daemon::drain::{CLIENTS_DEADLINE, DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::start::Failure;
use virtbus_daemon::{Program, Started, Tasks, notify, start, tasks};
use virtbus_dbus_front::Bus;
use virtbus_rpc::auth;
use virtbus_rpc::peer::SocketKind;
use virtbus_rpc::relay::{Backends, Owner};
use virtbus_rpc::server::Limits;
use virtbus_rpc_front::{Front, Servers};
use virtqemud::driver::Qemu;

const PROGRAM: Program = Program {
    name: "virtqemud",
    about: "Manages QEMU guests",
    version: env!("CARGO_PKG_VERSION"),
    libvirt: settings::LIBVIRT,
};
const BUS_NAME: &str = "org.libvirt.virtqemud";

fn main() -> ExitCode {
    start::main(PROGRAM, run)
}

async fn run(mut started: Started) -> Result<ExitCode, Failure> {
    let signals = Signals::watch()?;
    started.warn_of_unknown_keys();
    let config = settings::read(&started.paths, started.config.host_uuid.as_deref())?;
    let listeners = started.listen(PROGRAM.name)?;
    let _files = BoundFiles::of(&listeners);

    let engine = Qemu::beside(config, settings::neighbours(&started.paths));
    engine.load().await?;
    let start_of_host = engine.start_of_host();
    let driver: Arc<dyn HypervisorDriver> = Arc::new(engine.clone());
    let (tasks, supervisor) = Tasks::new();

    let servers = Servers::new(
        PROGRAM.name,
        Front::new(Arc::clone(&driver)),
        auth::of_configuration(&started.config.authentication(), bus::is_polkit_asked(&started.paths)),
        started.config.limits().map(Limits::of),
        // Who owns what clients ask for on the same connection.
        Backends::in_directory(&[Owner::Network, Owner::Storage], started.paths.run(), started.paths.is_session()),
    );
    activation::accept(listeners, &tasks, |role, socket| servers.clone().serve(role.pick(SocketKind::ALL), socket))?;
    tasks.at_stop("drain clients", servers.clone().drain(CLIENTS_DEADLINE));
    let calls = watch::Sender::new(0);
    let counts = vec![servers.client_count(), engine.active(), calls.subscribe()];
    if bus::of(&started.paths).is_some() {
        let (bus, own_uid) = (Bus::of(started.paths.is_session()), nix::unistd::geteuid().as_raw());
        let kept = virtbus_dbus_front::keep(bus, BUS_NAME, own_uid, driver, calls, tasks.stop_token());
        drop(tasks.spawn("D-Bus", kept));
    }
    notify::ready();
    let begin = engine.clone();
    drop(tasks::spawn("first steps", async move {
        begin.probe().await;
        begin.start_with_host(start_of_host).await;
        begin.check_definitions().await;
    }));

    let idle_timeout = started.args.idle_timeout();
    let life = Life { signals, supervisor, idle_timeout, counts };
    let reason = life.until_stopped(|| started.reread()).await;
    // Guests live on; the next daemon takes them over.
    Ok(drain(&tasks, &reason, DEADLINE).await)
}
