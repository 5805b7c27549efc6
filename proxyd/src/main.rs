//! virtproxyd: the daemon behind `libvirt-sock`. It accepts every libvirt client, finds the daemon that the client's URI
//! asks for, and passes calls on to those that own them.
//!
//! It reads one body, that of `CONNECT_OPEN`, and knows no guest, pool or network.

mod body;
mod bus;
mod session;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;
use virtbus_daemon::activation::{self, BoundFiles};
use virtbus_daemon::drain::{CLIENTS_DEADLINE, DEADLINE, Life, drain};
use virtbus_daemon::signals::Signals;
use virtbus_daemon::start::Failure;
use virtbus_daemon::{Program, Started, Tasks, notify, start};
use virtbus_rpc::auth;
use virtbus_rpc::peer::SocketKind;
use virtbus_rpc::relay::{Backends, Owner};
use virtbus_rpc::server::{Limits, Server};

use crate::session::Session;

const PROGRAM: Program = Program {
    name: "virtproxyd",
    about: "Connects libvirt clients with the daemons of Virtbus",
    version: env!("CARGO_PKG_VERSION"),
    libvirt: "11.3.0",
};

fn main() -> ExitCode {
    start::main(PROGRAM, run)
}

async fn run(mut started: Started) -> Result<ExitCode, Failure> {
    let signals = Signals::watch()?;
    started.warn_of_unknown_keys();
    let (run, is_session) = (started.paths.run().to_owned(), started.paths.is_session());
    let backends = Backends::in_directory(&[Owner::Qemu, Owner::Network, Owner::Storage], &run, is_session);
    let listeners = started.listen("libvirt")?;
    let _files = BoundFiles::of(&listeners);
    let service = Arc::new(Session::new(&backends));
    let policy =
        auth::of_configuration(&started.config.authentication(), virtbus_daemon::bus::is_polkit_asked(&started.paths));
    let server = Server::relaying(service, policy, Limits::of(started.config.clients()), backends);

    let (tasks, supervisor) = Tasks::new();
    activation::accept(listeners, &tasks, |role, socket| {
        let server = server.clone();
        async move { server.serve(socket, role.pick(SocketKind::ALL)).await }
    })?;
    let draining = server.clone();
    tasks.at_stop("drain clients", async move { draining.drain(CLIENTS_DEADLINE).await });
    let bus_clients = watch::Sender::new(0);
    let counts = vec![server.client_count(), bus_clients.subscribe()];
    if let Some(on) = virtbus_daemon::bus::of(&started.paths) {
        let (relaying, stop) = (bus::serve(on, bus_clients), tasks.stop_token());
        drop(tasks.spawn("relay org.libvirt", async move { stop.run_until_cancelled(relaying).await }));
    }
    notify::ready();
    let idle_timeout = started.args.idle_timeout();
    let life = Life { signals, supervisor, idle_timeout, counts };
    let reason = life.until_stopped(|| started.reread()).await;
    Ok(drain(&tasks, &reason, DEADLINE).await)
}
