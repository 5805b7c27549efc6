//! How everyone but the owner reaches a network: a mailbox, and the view. The mechanism is [`virtbus_host::mailbox`]'s.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use virtbus_api::Result;
use virtbus_host::{mailbox::Mailbox, names::Named};

use super::{
    Owner,
    command::{Command, Request},
    view::{Live, View},
};
use crate::driver::Shared;
use crate::fault;

/// A network, for those who ask.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Mailbox<View, Request>);

impl Handle {
    /// A network whose owner sleeps.
    pub(crate) fn new(view: View) -> Self {
        Self(Mailbox::new(view))
    }

    /// What is known now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.0.view()
    }

    /// Publishes a new view; the owner's.
    pub(super) fn publish(&self, view: View) {
        self.0.publish(view);
    }

    /// The network runs since before this daemon. Only while nobody can ask it anything yet.
    pub(crate) fn take_over(&self, live: Live, shared: &Shared) {
        let view = View { live: Some(live), ..View::clone(&self.view()) };
        shared.registry.note_bridges(view.uuid, &view.bridges());
        self.0.publish(view);
    }

    /// Has the owner do `command` and waits until it is done. The owner answers within a deadline.
    pub(crate) async fn tell(&self, shared: &Arc<Shared>, command: Command) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let wake = |inbox| Owner::new(Arc::clone(shared), self.clone(), inbox).wake();
        let gone = || fault::no_network_of(self.view().uuid, &self.view().name);
        self.0.post(Request { command, reply }, wake).map_err(|_| gone())?;
        // Without an answer the request ended with its owner.
        let lost = || fault::internal(format!("network '{}': the operation ended unexpectedly", self.view().name));
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    /// The owner goes to sleep, unless something has just arrived for it.
    pub(super) fn sleep(&self, inbox: &mpsc::UnboundedReceiver<Request>) -> bool {
        self.0.sleep(inbox)
    }

    /// Nobody can ask this network any more, unless something has just arrived for it.
    pub(super) fn close(&self, inbox: &mpsc::UnboundedReceiver<Request>) -> bool {
        self.0.close(inbox)
    }
}

impl Named for Handle {
    fn exists(&self) -> bool {
        self.view().exists()
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(&self.view().name)
    }

    fn uuid(&self) -> Uuid {
        self.view().uuid
    }
}
