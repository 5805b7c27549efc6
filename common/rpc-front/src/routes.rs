//! From a procedure's number to the code that serves it, typed: arguments in, reply out.
//!
//! A route is one of three kinds, by how it runs:
//! * `on_view`: answered from published state, at once, in the connection's own task;
//! * `on`: asks an engine and may wait;
//! * `on_stream`: as `on`, and a byte stream follows the reply.
//!
//! Arguments are decoded and checked against the caller's rights (`access`) here and nowhere else. What a
//! route does is not known here.

use std::{future::Future, pin::Pin};

use virtbus_proto::{ADMIN, Entry, Owner, Procedure, Program, QEMU, REMOTE};
use virtbus_rpc::call::Reply;

use crate::{
    access::Guard,
    client::Context,
    console::Pipe,
    error::{Fault, Result},
};

type Later = Pin<Box<dyn Future<Output = Result<Reply>> + Send>>;
type View<D> = dyn Fn(&Context<D>, &[u8]) -> Result<Reply> + Send + Sync;
type Task<D> = dyn Fn(&Context<D>, &[u8]) -> Result<Later> + Send + Sync;

/// How a call is served.
pub(crate) enum Handler<D: ?Sized> {
    /// At once.
    View(Box<View<D>>),
    /// By a future; decoding and the access check are done when it is made.
    Task(Box<Task<D>>),
}

type Slots<D> = Vec<Option<Handler<D>>>;

/// What is served, by program and number.
pub struct Routes<D: ?Sized> {
    remote: Slots<D>,
    qemu: Slots<D>,
    admin: Slots<D>,
    served: Vec<&'static Entry>,
}

impl<D: ?Sized> std::fmt::Debug for Routes<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.served.iter().map(|it| it.name)).finish()
    }
}

impl<D: ?Sized> Default for Routes<D> {
    fn default() -> Self {
        let empty = |len: usize| std::iter::repeat_with(|| None).take(len + 1).collect();
        Self { remote: empty(REMOTE.len()), qemu: empty(QEMU.len()), admin: empty(ADMIN.len()), served: Vec::new() }
    }
}

impl<D: ?Sized + Send + Sync + 'static> Routes<D> {
    /// Serves `P` at once, from state that is published.
    pub(crate) fn on_view<P, F>(self, serve: F) -> Self
    where
        P: Procedure,
        F: Fn(&Context<D>, P) -> Result<P::Reply> + Send + Sync + 'static,
    {
        let guard = Guard::of(P::ENTRY);
        let handler = move |cx: &Context<D>, body: &[u8]| Ok(Reply::of(&serve(cx, admit(&guard, cx, body)?)?)?);
        self.insert(P::ENTRY, Handler::View(Box::new(handler)))
    }

    /// Serves `P` at once, and closes the connection behind the reply.
    pub(crate) fn on_last<P, F>(self, serve: F) -> Self
    where
        P: Procedure,
        F: Fn(&Context<D>, P) -> Result<P::Reply> + Send + Sync + 'static,
    {
        let guard = Guard::of(P::ENTRY);
        let handler =
            move |cx: &Context<D>, body: &[u8]| Ok(Reply::of(&serve(cx, admit(&guard, cx, body)?)?)?.closing());
        self.insert(P::ENTRY, Handler::View(Box::new(handler)))
    }

    /// Serves `P` by asking an engine.
    pub(crate) fn on<P, F, Fut>(self, serve: F) -> Self
    where
        P: Procedure,
        F: Fn(Context<D>, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<P::Reply>> + Send + 'static,
    {
        let guard = Guard::of(P::ENTRY);
        let handler = move |cx: &Context<D>, body: &[u8]| {
            let serving = serve(cx.clone(), admit(&guard, cx, body)?);
            Ok(Box::pin(async move { Ok(Reply::of(&serving.await?)?) }) as Later)
        };
        self.insert(P::ENTRY, Handler::Task(Box::new(handler)))
    }

    /// As [`Routes::on`], with a byte stream behind the reply.
    pub(crate) fn on_stream<P, F, Fut>(self, serve: F) -> Self
    where
        P: Procedure,
        F: Fn(Context<D>, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(P::Reply, Pipe)>> + Send + 'static,
    {
        let guard = Guard::of(P::ENTRY);
        let handler = move |cx: &Context<D>, body: &[u8]| {
            let opening = serve(cx.clone(), admit(&guard, cx, body)?);
            let piping = async move {
                let (reply, pipe) = opening.await?;
                Ok(Reply::of(&reply)?.with_stream(pipe.start()))
            };
            Ok(Box::pin(piping) as Later)
        };
        self.insert(P::ENTRY, Handler::Task(Box::new(handler)))
    }

    /// All of these and all of `others`.
    pub(crate) fn and(mut self, others: Self) -> Self {
        let mine = [&mut self.remote, &mut self.qemu, &mut self.admin];
        for (mine, theirs) in mine.into_iter().zip([others.remote, others.qemu, others.admin]) {
            for (slot, handler) in mine.iter_mut().zip(theirs) {
                if handler.is_some() {
                    debug_assert!(slot.is_none(), "two routes for one procedure");
                    *slot = handler;
                }
            }
        }
        self.served.extend(others.served);
        self
    }

    fn insert(mut self, entry: &'static Entry, handler: Handler<D>) -> Self {
        let slot = self.slots(entry.program).zip(usize::try_from(entry.number).ok());
        if let Some(slot) = slot.and_then(|(slots, number)| slots.get_mut(number)) {
            debug_assert!(slot.is_none(), "two routes for {}", entry.name);
            *slot = Some(handler);
            self.served.push(entry);
        }
        self
    }

    fn slots(&mut self, program: Program) -> Option<&mut Slots<D>> {
        match program {
            Program::Remote => Some(&mut self.remote),
            Program::Qemu => Some(&mut self.qemu),
            Program::Admin => Some(&mut self.admin),
            Program::Lxc | Program::Keepalive => None,
        }
    }

    /// The route of a procedure.
    pub(crate) fn find(&self, entry: &Entry) -> Option<&Handler<D>> {
        let slots = match entry.program {
            Program::Remote => &self.remote,
            Program::Qemu => &self.qemu,
            Program::Admin => &self.admin,
            Program::Lxc | Program::Keepalive => return None,
        };
        slots.get(usize::try_from(entry.number).ok()?)?.as_ref()
    }

    /// The procedures that are served.
    pub fn served(&self) -> &[&'static Entry] {
        &self.served
    }

    /// The calls of `owner` that are not served.
    pub fn missing(&self, owner: Owner) -> impl Iterator<Item = &'static Entry> {
        REMOTE.iter().chain(&QEMU).copied().filter(move |it| it.owner == owner && !it.event && self.find(it).is_none())
    }
}

/// The arguments of a call that the caller may make.
fn admit<P: Procedure, D: ?Sized>(guard: &Guard, cx: &Context<D>, body: &[u8]) -> Result<P> {
    let mut rest = body;
    let args = P::decode(&mut rest).map_err(|it| Fault::undecodable(P::ENTRY, it))?;
    let used = body.len().saturating_sub(rest.len());
    guard.check(cx.client.is_read_only(), body.get(..used).unwrap_or(body))?;
    Ok(args)
}
