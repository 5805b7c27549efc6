//! virtproxyd: the daemon behind `libvirt-sock`. It accepts every libvirt client, finds the daemon that the client's URI
//! asks for, and passes calls on to those that own them.
//!
//! It reads one body, that of `CONNECT_OPEN`, and knows no guest, pool or network.

mod backends;
mod body;
mod bus;
mod session;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::watch;
use virtbus_daemon::activation::{self, BoundFiles, Role};
use virtbus_daemon::config::DaemonConfig;
use virtbus_daemon::drain::{DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::{Program, Started, Tasks, notify, start};
use virtbus_rpc::auth;
use virtbus_rpc::keepalive::Patience;
use virtbus_rpc::peer::SocketKind;
use virtbus_rpc::server::{Limits, Server};

use crate::session::Session;

const PROGRAM: Program = Program {
    name: "virtproxyd",
    about: "Connects libvirt clients with the daemons of Virtbus",
    version: env!("CARGO_PKG_VERSION"),
    libvirt: "11.3.0",
};
/// How long clients may finish what they are at.
const CLIENTS_DEADLINE: Duration = DEADLINE.saturating_sub(Duration::from_secs(2));

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
    let backends = backends::of(&started.paths);
    let wanted = activation::wanted(PROGRAM.name, "libvirt", &started.paths, &started.config);
    let listeners = activation::listen(&wanted, std::mem::take(&mut started.passed))?;
    let _files = BoundFiles::of(&listeners);
    let service = Arc::new(Session::new(&started.paths));
    let server = Server::relaying(
        service,
        auth::of_configuration(started.config.auth_unix_rw),
        limits(&started.config),
        backends,
    );

    let (tasks, supervisor) = Tasks::new();
    for listener in listeners {
        let kind = match listener.role {
            Role::ReadWrite => SocketKind::ReadWrite,
            Role::ReadOnly => SocketKind::ReadOnly,
            Role::Admin => SocketKind::Admin,
        };
        tracing::info!("listening on {}", listener.path.display());
        let (server, socket) = (server.clone(), UnixListener::from_std(listener.listener)?);
        tasks.essential(format!("accept {kind:?}"), async move { server.serve(socket, kind).await });
    }
    let (draining, stop) = (server.clone(), tasks.stop_token());
    drop(tasks.spawn("drain clients", async move {
        stop.cancelled().await;
        draining.drain(CLIENTS_DEADLINE).await;
    }));
    let bus_clients = watch::Sender::new(0);
    let counts = vec![server.client_count(), bus_clients.subscribe()];
    if let Some(on) = virtbus_daemon::bus::of(&started.paths) {
        let (relaying, stop) = (bus::serve(on, bus_clients), tasks.stop_token());
        drop(tasks.spawn("relay org.libvirt", async move { stop.run_until_cancelled(relaying).await }));
    }
    notify::ready();
    let idle_timeout = started.args.idle_timeout();
    let life = Life { signals, supervisor, idle_timeout, counts };
    let reason = life.until_stopped(|| reload(&started)).await;
    Ok(drain(&tasks, &reason, DEADLINE).await)
}

async fn reload(started: &Started) {
    match tokio::task::block_in_place(|| started.reload()) {
        Ok(_) => tracing::info!("configuration read again"),
        Err(error) => tracing::error!("configuration not read again: {}", start::chain(&*error)),
    }
}

fn limits(config: &DaemonConfig) -> Limits {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    // -1 and 0 switch the pings off.
    let interval = Duration::from_secs(config.keepalive_interval.try_into().unwrap_or(0));
    Limits {
        max_clients: count(config.max_clients),
        max_client_requests: count(config.max_client_requests),
        keepalive: Patience { interval, count: config.keepalive_count },
        ..Limits::default()
    }
}
