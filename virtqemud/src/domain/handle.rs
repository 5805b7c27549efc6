//! How everyone but the owner reaches a domain: a mailbox, and the view.
//!
//! The mechanism is [`virtbus_host::mailbox`]'s. A view costs a few hundred bytes beside its document, an owner several
//! thousand: that owners sleep is what keeps 5,000 definitions small.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::{mailbox::Mailbox, names::Named};

use super::{
    Owner,
    command::{Answer, Command, Request},
    view::View,
};
use crate::driver::Shared;

/// A domain, for those who ask.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Mailbox<View, Request>);

impl Handle {
    /// A domain whose owner sleeps.
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

    /// Has the owner do `command` and waits for its answer. The owner answers within a deadline.
    pub(crate) async fn ask(&self, shared: &Arc<Shared>, command: Command) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.post(shared, Request { command, reply }).map_err(|_| {
            Error::new(ErrorCode::NoDomain, format!("no domain with matching uuid '{}'", self.view().uuid))
        })?;
        answer.await.unwrap_or_else(|_| {
            // The request was dropped with the guest it was for.
            Err(Error::failed(format!("domain '{}' is no longer running", self.view().name)))
        })
    }

    /// As [`Handle::ask`] for commands whose answer is success.
    pub(crate) async fn tell(&self, shared: &Arc<Shared>, command: Command) -> Result<()> {
        self.ask(shared, command).await.map(drop)
    }

    /// Puts a request into the mailbox, waking the owner if need be; gives it back if the domain is gone.
    pub(crate) fn post(&self, shared: &Arc<Shared>, request: Request) -> std::result::Result<(), Box<Request>> {
        self.0.post(request, |inbox| {
            let mut owner = Owner::new(Arc::clone(shared), self.clone(), inbox);
            owner.recover();
            owner.wake();
        })
    }

    /// A mailbox for an owner that does not begin with a request: after a restart of the daemon.
    pub(super) fn open_mailbox(&self) -> mpsc::UnboundedReceiver<Request> {
        self.0.open()
    }

    /// The owner goes to sleep, unless something has just arrived for it.
    pub(super) fn sleep(&self, inbox: &mpsc::UnboundedReceiver<Request>) -> bool {
        self.0.sleep(inbox)
    }

    /// Nobody can ask this domain any more, unless somebody is asking it something.
    pub(crate) fn retire(&self) -> bool {
        self.0.retire()
    }

    /// Nobody can ask this domain any more, unless something has just arrived for it.
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
