//! virtqemud: the daemon that manages QEMU guests. Here, and only here, engine and fronts meet.

mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use virtbus_api::HypervisorDriver;
use virtbus_daemon::activation::{self, BoundFiles};
use virtbus_daemon::bus::{self, Bus};
use virtbus_daemon::drain::{CLIENTS_DEADLINE, DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::start::Failure;
use virtbus_daemon::{Program, Started, Tasks, notify, start, tasks};
use virtbus_dbus_front::{Bus as FrontBus, Front as BusFront};
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
        auth::of_configuration(started.config.auth_unix_rw),
        [Limits::of(started.config.clients()), Limits::of(started.config.admin_clients())],
        // Who owns what clients ask for on the same connection.
        Backends::in_directory(&[Owner::Network, Owner::Storage], started.paths.run(), started.paths.is_session()),
    );
    activation::accept(listeners, &tasks, |role, socket| {
        let kind = role.pick([SocketKind::ReadWrite, SocketKind::ReadOnly, SocketKind::Admin]);
        servers.clone().serve(kind, socket)
    })?;
    tasks.at_stop("drain clients", servers.clone().drain(CLIENTS_DEADLINE));
    let bus_calls = watch::Sender::new(0);
    let counts = vec![servers.client_count(), engine.active(), bus_calls.subscribe()];
    if let Some(bus) = bus::of(&started.paths) {
        drop(tasks.spawn("D-Bus", serve_bus(bus, driver, bus_calls, tasks.stop_token())));
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

/// Serves D-Bus until the daemon stops; calls under way are finished then.
async fn serve_bus(bus: Bus, driver: Arc<dyn HypervisorDriver>, calls: watch::Sender<usize>, stop: CancellationToken) {
    let own_uid = nix::unistd::geteuid().as_raw();
    let bus = match bus {
        Bus::System => FrontBus::System,
        Bus::Session => FrontBus::Session,
    };
    let connect = || BusFront::connect(bus.clone(), BUS_NAME, own_uid, Arc::clone(&driver));
    bus::keep(BUS_NAME, &stop, connect, |front, stop| front.counting(calls.clone()).run_until(stop)).await;
}
