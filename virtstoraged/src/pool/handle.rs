//! How everyone but the owner reaches a pool: a mailbox, and the view.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use virtbus_api::Result;
use virtbus_host::{mailbox::Mailbox, names::Named};

use super::{
    Owner,
    command::{Answer, Command, Request},
    hold::Hold,
    view::View,
};
use crate::driver::Shared;
use crate::fault;
use crate::registry::no_pool_of;
use crate::volume::Volume;

/// A pool, for those who ask.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Mailbox<View, Request>);

impl Handle {
    /// A pool whose owner sleeps.
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

    /// Has the owner do `command` and waits for its answer.
    async fn ask(&self, shared: &Arc<Shared>, command: Command) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        let posted = self.post(shared, Request { command, reply });
        posted.map_err(|_| no_pool_of(self.view().uuid, &self.view().name))?;
        answer.await.unwrap_or_else(|_| {
            // The request was dropped with the work it was for.
            Err(fault::failed(format!("what was asked of storage pool '{}' was given up", self.view().name)))
        })
    }

    /// As `ask` for commands whose answer is success.
    pub(crate) async fn tell(&self, shared: &Arc<Shared>, command: Command) -> Result<()> {
        self.ask(shared, command).await.map(drop)
    }

    /// As `ask` for commands whose answer is a volume.
    pub(crate) async fn volume(&self, shared: &Arc<Shared>, command: Command) -> Result<Arc<Volume>> {
        match self.ask(shared, command).await? {
            Answer::Volume(volume) => Ok(volume),
            Answer::Done | Answer::Held(_) => Err(fault::internal("the pool's owner answered something else")),
        }
    }

    /// Takes hold of a volume.
    pub(crate) async fn hold(&self, shared: &Arc<Shared>, name: &str) -> Result<Hold> {
        match self.ask(shared, Command::HoldVolume(name.to_owned())).await? {
            Answer::Held(hold) => Ok(hold),
            Answer::Done | Answer::Volume(_) => Err(fault::internal("the pool's owner answered something else")),
        }
    }

    /// Tells the owner something that it need not answer.
    pub(crate) fn note(&self, shared: &Arc<Shared>, command: Command) {
        let (reply, _) = oneshot::channel();
        // A pool that is gone has no use for it.
        let _ = self.post(shared, Request { command, reply });
    }

    fn post(&self, shared: &Arc<Shared>, request: Request) -> std::result::Result<(), Box<Request>> {
        self.0.post(request, |inbox| Owner::new(Arc::clone(shared), self.clone(), inbox).wake())
    }

    /// The owner goes to sleep, unless something has just arrived for it.
    pub(super) fn sleep(&self, inbox: &mpsc::UnboundedReceiver<Request>) -> bool {
        self.0.sleep(inbox)
    }

    /// Nobody can ask this pool any more, unless something has just arrived for it.
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
