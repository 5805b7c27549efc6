//! One network and its owner: the only one who changes it.
//!
//! The owner is a task that takes turns. In each it hears of one thing (the end of the DHCP server first, then a request), acts,
//! and publishes the view. What it waits for within a turn is bounded: calls of the kernel and of local files, and dnsmasq,
//! which has a deadline of its own. Reads are answered from the view and wait for nobody.
//!
//! A network without a server has nothing to be watched: its owner sleeps. What a start makes is known to [`starting`], what
//! is kept on disk to [`files`].

pub(crate) mod command;
mod defining;
pub(crate) mod files;
mod handle;
mod plugging;
mod running;
pub(crate) mod starting;
mod updating;
pub(crate) mod view;

use std::sync::Arc;

use tokio::sync::mpsc;
use virtbus_api::{NetworkEvent, NetworkEventKind, NetworkLifecycle, Result};

use crate::dhcp::Server;
use crate::driver::Shared;

use command::{Command, Request};
use view::View;

pub(crate) use handle::Handle;

/// The owner of a network.
#[derive(Debug)]
pub(crate) struct Owner {
    shared: Arc<Shared>,
    handle: Handle,
    inbox: mpsc::UnboundedReceiver<Request>,
    view: View,
    /// The network's DHCP and DNS server, while it has one.
    server: Option<Server>,
}

impl Owner {
    /// The owner of the network behind `handle`, as its view has it.
    pub(crate) fn new(shared: Arc<Shared>, handle: Handle, inbox: mpsc::UnboundedReceiver<Request>) -> Self {
        let view = View::clone(&handle.view());
        Self { shared, handle, inbox, view, server: None }
    }

    /// Starts the task.
    pub(crate) fn wake(self) {
        let name = format!("network {}", self.view.name);
        drop(virtbus_host::task::spawn(name, self.run()));
    }

    async fn run(mut self) {
        self.find_server();
        loop {
            if self.server.is_none() && self.is_left_alone() {
                return;
            }
            tokio::select! {
                biased;
                () = ended(self.server.as_ref()) => self.on_server_ended().await,
                request = self.inbox.recv() => match request {
                    Some(Request { command, reply }) => {
                        tracing::debug!(network = %self.view.name, ?command, "asked");
                        let result = self.act(command).await;
                        self.publish();
                        // A caller that has gone does not mind.
                        let _ = reply.send(result);
                    }
                    // The handle keeps a sender for as long as the owner is awake.
                    None => return,
                },
            }
            self.publish();
        }
    }

    /// Whether the task can end: nobody asks, and nothing is to be watched.
    fn is_left_alone(&self) -> bool {
        if self.view.exists() {
            return self.handle.sleep(&self.inbox);
        }
        let (uuid, name) = (self.view.uuid, Arc::clone(&self.view.name));
        self.shared.registry.remove(uuid, &name, || self.handle.close(&self.inbox))
    }

    async fn act(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Define(document, reservation) => {
                let done = self.define(document).await;
                self.publish();
                drop(reservation);
                done
            }
            Command::Create(document, reservation) => {
                let done = self.create(document).await;
                self.publish();
                drop(reservation);
                done
            }
            Command::Start => self.start().await,
            Command::Destroy => self.destroy().await,
            Command::Undefine => self.undefine().await,
            Command::SetAutostart(autostart) => self.set_autostart(autostart).await,
            Command::Update { command, section, parent, flags } => self.update(command, &section, parent, flags).await,
            Command::SetMetadata(change, flags) => self.set_metadata(&change, flags).await,
            Command::CreatePort(port, flags) => self.create_port(port, flags).await,
            Command::SetPort(uuid, bandwidth) => self.set_port(uuid, bandwidth).await,
            Command::DeletePort(uuid) => self.delete_port(uuid).await,
            Command::Recover => self.recover().await,
        }
    }

    /// Publishes what this turn changed.
    fn publish(&self) {
        self.shared.registry.note_bridges(self.view.uuid, &self.view.bridges());
        let before = self.handle.view();
        self.handle.publish(self.view.clone());
        if before.live.is_some() != self.view.live.is_some() {
            self.shared.count_active();
        }
        if let Some(turnover) = self.view.turnover_since(&before) {
            self.tell(NetworkEventKind::Ports(turnover));
        }
    }

    /// Tells everyone what happened. The view is published first: who asks upon an event sees what it is about.
    fn emit(&self, kind: NetworkEventKind) {
        self.publish();
        self.tell(kind);
    }

    fn tell(&self, kind: NetworkEventKind) {
        // Nobody listening is no fault.
        let _ = self.shared.events.send(NetworkEvent { network: self.view.network_ref(), kind });
    }

    fn emit_lifecycle(&self, what: NetworkLifecycle) {
        tracing::info!(network = %self.view.name, ?what, "lifecycle");
        self.emit(NetworkEventKind::Lifecycle(what));
    }
}

async fn ended(server: Option<&Server>) {
    match server {
        Some(server) => server.ended().await,
        None => std::future::pending().await,
    }
}
