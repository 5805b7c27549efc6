//! How everyone but the owner reaches an object: a mailbox, and the view.
//!
//! Most objects are never asked for anything; they get no task. The first request wakes the owner, which goes back to
//! sleep when it has nothing to do and its mailbox is empty. What a view or a request is, and who the owner is, is not
//! known here.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

/// An object that publishes views `V` and takes requests `R`, for those who ask. Clones are the same object.
pub struct Mailbox<V, R>(Arc<Inner<V, R>>);

struct Inner<V, R> {
    view: watch::Sender<Arc<V>>,
    state: Mutex<State<R>>,
}

enum State<R> {
    Asleep,
    Awake(mpsc::UnboundedSender<R>),
    /// The object has been removed.
    Gone,
}

impl<V, R> Clone for Mailbox<V, R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: fmt::Debug, R> fmt::Debug for Mailbox<V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.0.view.borrow()).finish()
    }
}

impl<V, R> Mailbox<V, R> {
    /// An object whose owner sleeps.
    pub fn new(view: V) -> Self {
        Self(Arc::new(Inner { view: watch::Sender::new(Arc::new(view)), state: Mutex::new(State::Asleep) }))
    }

    /// What is known now.
    pub fn view(&self) -> Arc<V> {
        self.0.view.borrow().clone()
    }

    /// Publishes a new view; the owner's.
    pub fn publish(&self, view: V) {
        self.0.view.send_replace(Arc::new(view));
    }

    /// Puts a request into the mailbox. If the owner sleeps, `wake` is called with the inbox that already holds it.
    ///
    /// # Errors
    /// Gives the request back if the object is gone.
    pub fn post(&self, request: R, wake: impl FnOnce(mpsc::UnboundedReceiver<R>)) -> Result<(), Box<R>> {
        let mut state = self.lock();
        let request = match &*state {
            State::Gone => return Err(Box::new(request)),
            State::Awake(sender) => match sender.send(request) {
                Ok(()) => return Ok(()),
                // The owner ended by a panic; another one takes over with what was last published.
                Err(mpsc::error::SendError(request)) => request,
            },
            State::Asleep => request,
        };
        let (sender, inbox) = mpsc::unbounded_channel();
        let sent = sender.send(request);
        *state = State::Awake(sender);
        drop(state);
        debug_assert!(sent.is_ok(), "the receiver is in this frame");
        wake(inbox);
        Ok(())
    }

    /// An inbox for an owner that does not begin with a request: after a restart of the daemon.
    pub fn open(&self) -> mpsc::UnboundedReceiver<R> {
        let (sender, inbox) = mpsc::unbounded_channel();
        *self.lock() = State::Awake(sender);
        inbox
    }

    /// The owner goes to sleep, unless something has just arrived for it.
    pub fn sleep(&self, inbox: &mpsc::UnboundedReceiver<R>) -> bool {
        self.settle(inbox, State::Asleep)
    }

    /// Nobody can ask this object any more, unless something has just arrived for it.
    pub fn close(&self, inbox: &mpsc::UnboundedReceiver<R>) -> bool {
        self.settle(inbox, State::Gone)
    }

    /// Nobody can ask this object any more, unless somebody is asking it something.
    pub fn retire(&self) -> bool {
        let mut state = self.lock();
        let asleep = matches!(*state, State::Asleep);
        if asleep {
            *state = State::Gone;
        }
        asleep
    }

    fn settle(&self, inbox: &mpsc::UnboundedReceiver<R>, next: State<R>) -> bool {
        let mut state = self.lock();
        let quiet = inbox.is_empty();
        if quiet {
            *state = next;
        }
        quiet
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        // The state is replaced in one step; a panic beside it leaves nothing that misleads.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_wakes_and_a_quiet_owner_sleeps_again() {
        let mailbox: Mailbox<u32, &str> = Mailbox::new(1);
        let mut inbox = None;
        mailbox.post("a", |it| inbox = Some(it)).unwrap();
        let mut inbox = inbox.expect("woken");
        mailbox.post("b", |_| panic!("it is awake")).unwrap();
        assert!(!mailbox.sleep(&inbox) && !mailbox.retire());
        assert_eq!((inbox.try_recv().unwrap(), inbox.try_recv().unwrap()), ("a", "b"));
        mailbox.publish(2);
        assert_eq!(*mailbox.clone().view(), 2);
        assert!(mailbox.sleep(&inbox) && mailbox.retire());
        assert_eq!(mailbox.post("c", |_| panic!("it is gone")), Err(Box::new("c")));
    }

    #[test]
    fn an_owner_that_has_ended_is_replaced() {
        let mailbox: Mailbox<u32, &str> = Mailbox::new(1);
        drop(mailbox.open());
        let mut inbox = None;
        mailbox.post("a", |it| inbox = Some(it)).unwrap();
        let mut inbox = inbox.expect("woken");
        assert_eq!(inbox.try_recv().unwrap(), "a");
        assert!(mailbox.close(&inbox));
    }
}
