//! virtqemud: the daemon that manages QEMU guests. Here, and only here, engine and fronts meet.

mod settings;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::watch;
use virtbus_api::HypervisorDriver;
use virtbus_daemon::activation::{self, BoundFiles, Listener, Role};
use virtbus_daemon::bus::{self, Bus};
use virtbus_daemon::drain::{DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::{Program, Started, Tasks, notify, start};
use virtbus_dbus_front::{Bus as FrontBus, Front as BusFront};
use virtbus_rpc::auth;
use virtbus_rpc::peer::SocketKind;
use virtbus_rpc::server::Server;
use virtbus_rpc_front::{Admin, Front};
use virtqemud::driver::Qemu;

const PROGRAM: Program = Program {
    name: "virtqemud",
    about: "Manages QEMU guests",
    version: env!("CARGO_PKG_VERSION"),
    libvirt: settings::LIBVIRT,
};
const BUS_NAME: &str = "org.libvirt.virtqemud";
/// How long clients may finish what they are at.
const CLIENTS_DEADLINE: Duration = DEADLINE.saturating_sub(Duration::from_secs(2));
/// Pause between two attempts to reach the bus.
const BUS_PAUSE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let (started, runtime) = match start(PROGRAM).and_then(|it| it.runtime().map(|runtime| (it, runtime))) {
        Ok(it) => it,
        Err(code) => return code,
    };
    match runtime.block_on(run(started)) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{}", start::chain(&*error));
            start::exit_for(PROGRAM.name, &*error)
        }
    }
}

async fn run(mut started: Started) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let signals = Signals::watch()?;
    started.warn_of_unknown_keys();
    let config = settings::read(&started.paths, started.config.host_uuid.as_deref())?;
    let wanted = activation::wanted(PROGRAM.name, PROGRAM.name, &started.paths, &started.config);
    let listeners = activation::listen(&wanted, std::mem::take(&mut started.passed))?;
    let _files = BoundFiles::of(&listeners);

    let engine = Qemu::new(config);
    engine.load().await?;
    let start_of_host = engine.start_of_host();
    let driver: Arc<dyn HypervisorDriver> = Arc::new(engine.clone());
    let (tasks, supervisor) = Tasks::new();

    let limits = settings::limits(&started.config);
    let server = Server::relaying(
        Arc::new(Front::new(Arc::clone(&driver))),
        auth::of_configuration(started.config.auth_unix_rw),
        limits,
        settings::neighbours(&started.paths),
    );
    let admin = Arc::new(Admin::default());
    let admin_server =
        Server::new(Arc::new(Front::of_admin(Arc::clone(&admin))), settings::admin_limits(&started.config));
    admin.add(PROGRAM.name, server.clone(), limits);
    admin.add("admin", admin_server.clone(), settings::admin_limits(&started.config));
    for Listener { role, path, listener, .. } in listeners {
        let (server, kind) = match role {
            Role::ReadWrite => (server.clone(), SocketKind::ReadWrite),
            Role::ReadOnly => (server.clone(), SocketKind::ReadOnly),
            Role::Admin => (admin_server.clone(), SocketKind::Admin),
        };
        tracing::info!("listening on {}", path.display());
        let socket = UnixListener::from_std(listener)?;
        tasks.essential(format!("accept {role:?}"), async move { server.serve(socket, kind).await });
    }
    for server in [server.clone(), admin_server] {
        let stop = tasks.stop_token();
        drop(tasks.spawn("drain clients", async move {
            stop.cancelled().await;
            server.drain(CLIENTS_DEADLINE).await;
        }));
    }
    let bus_calls = watch::Sender::new(0);
    let counts = vec![server.client_count(), engine.active(), bus_calls.subscribe()];
    if let Some(bus) = bus::of(&started.paths) {
        drop(virtbus_daemon::tasks::spawn("D-Bus", serve_bus(bus, driver, bus_calls)));
    }
    notify::ready();
    let begin = engine.clone();
    drop(virtbus_daemon::tasks::spawn("first steps", async move {
        begin.probe().await;
        begin.start_with_host(start_of_host).await;
        begin.check_definitions().await;
    }));

    let idle_timeout = started.args.idle_timeout();
    let life = Life { signals, supervisor, idle_timeout, counts };
    let reason = life.until_stopped(|| reload(&started)).await;
    // Guests live on; the next daemon takes them over.
    Ok(drain(&tasks, &reason, DEADLINE).await)
}

/// Serves D-Bus for as long as the daemon lives. A host without a bus, or one whose bus restarts, is served by RPC alone
/// meanwhile.
async fn serve_bus(bus: Bus, driver: Arc<dyn HypervisorDriver>, calls: watch::Sender<usize>) {
    let own_uid = nix::unistd::geteuid().as_raw();
    let bus = match bus {
        Bus::System => FrontBus::System,
        Bus::Session => FrontBus::Session,
    };
    let mut said = false;
    loop {
        match BusFront::connect(bus.clone(), BUS_NAME, own_uid, Arc::clone(&driver)).await {
            Ok(front) => {
                tracing::info!("{BUS_NAME} is on the bus");
                said = false;
                if let Err(error) = front.counting(calls.clone()).run().await {
                    tracing::warn!("the bus is gone: {error}");
                }
            }
            Err(error) if !said => {
                tracing::warn!("no D-Bus: {error}");
                said = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(BUS_PAUSE).await;
    }
}

async fn reload(started: &Started) {
    match tokio::task::block_in_place(|| started.reload()) {
        Ok(_) => tracing::info!("configuration read again"),
        Err(error) => tracing::error!("configuration not read again: {}", start::chain(&*error)),
    }
}
