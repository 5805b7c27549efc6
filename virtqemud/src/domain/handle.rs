//! How everyone but the owner reaches a domain: a mailbox, and the view.
//!
//! Most definitions on a host are off and never asked for anything; they get no task. The first command wakes the
//! owner, which goes back to sleep when the domain is off and its mailbox empty. A view costs a few hundred
//! bytes beside its document, an owner several thousand: that is what keeps 5,000 definitions small.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use virtbus_api::{Error, ErrorCode, Result};

use super::{
    Owner,
    command::{Answer, Command, Request},
    view::View,
};
use crate::driver::Shared;

/// A domain, for those who ask.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    view: watch::Sender<Arc<View>>,
    mailbox: Mutex<Mailbox>,
}

#[derive(Debug)]
enum Mailbox {
    Asleep,
    Awake(mpsc::UnboundedSender<Request>),
    /// The domain has been removed from the registry.
    Gone,
}

impl Handle {
    /// A domain whose owner sleeps.
    pub(crate) fn new(view: View) -> Self {
        Self(Arc::new(Inner { view: watch::Sender::new(Arc::new(view)), mailbox: Mutex::new(Mailbox::Asleep) }))
    }

    /// What is known now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.0.view.borrow().clone()
    }

    /// Publishes a new view; the owner's.
    pub(super) fn publish(&self, view: View) {
        self.0.view.send_replace(Arc::new(view));
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
        let mut mailbox = self.lock();
        let request = match &*mailbox {
            Mailbox::Gone => return Err(Box::new(request)),
            Mailbox::Awake(sender) => match sender.send(request) {
                Ok(()) => return Ok(()),
                // The owner ended by a panic; another one takes over with what was last published.
                Err(mpsc::error::SendError(request)) => request,
            },
            Mailbox::Asleep => request,
        };
        let (sender, inbox) = mpsc::unbounded_channel();
        let sent = sender.send(request);
        *mailbox = Mailbox::Awake(sender);
        drop(mailbox);
        debug_assert!(sent.is_ok(), "the receiver is in this frame");
        let mut owner = Owner::new(Arc::clone(shared), self.clone(), inbox);
        owner.recover();
        owner.wake();
        Ok(())
    }

    /// A mailbox for an owner that does not begin with a request: after a restart of the daemon.
    pub(super) fn open_mailbox(&self) -> mpsc::UnboundedReceiver<Request> {
        let (sender, inbox) = mpsc::unbounded_channel();
        *self.lock() = Mailbox::Awake(sender);
        inbox
    }

    /// The owner goes to sleep, unless something has just arrived for it.
    pub(super) fn sleep(&self, inbox: &mpsc::UnboundedReceiver<Request>) -> bool {
        let mut mailbox = self.lock();
        let quiet = inbox.is_empty();
        if quiet {
            *mailbox = Mailbox::Asleep;
        }
        quiet
    }

    /// Nobody can ask this domain any more, unless somebody is asking it something.
    pub(crate) fn retire(&self) -> bool {
        let mut mailbox = self.lock();
        let asleep = matches!(*mailbox, Mailbox::Asleep);
        if asleep {
            *mailbox = Mailbox::Gone;
        }
        asleep
    }

    /// Nobody can ask this domain any more, unless something has just arrived for it.
    pub(super) fn close(&self, inbox: &mpsc::UnboundedReceiver<Request>) -> bool {
        let mut mailbox = self.lock();
        let quiet = inbox.is_empty();
        if quiet {
            *mailbox = Mailbox::Gone;
        }
        quiet
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Mailbox> {
        self.0.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
