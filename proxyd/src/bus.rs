//! The one legacy name on the bus, `org.libvirt`: calls written for libvirt-dbus go on to the owning daemon.
//!
//! A call goes to the daemon that its object path and member name ([`route`]), never its content; the few that are about
//! everything go to all daemons, and their answers are put together ([`gather`]). The daemon is told for whom a call is
//! (`org.libvirt.virtbus.Relay.Announce`), so that rights are those of the sender. Signals of the daemons appear under
//! the legacy name too. The quirks that clients of libvirt-dbus rely on (observed on 1.4.1) live here alone: one error
//! name for everything, and a doubled variant in `GetAll`.
//!
//! The loop never waits for a reply, so a stuck daemon holds up its own calls only.

mod gather;
mod route;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::TryStreamExt as _;
use tokio::sync::watch;
use virtbus_daemon::bus::Bus;
use zbus::{
    Connection, MatchRule, Message, MessageStream, Variant,
    fdo::{ConnectionCredentials, DBusProxy, RequestNameFlags, RequestNameReply},
    message::{Flags, Header, Type},
};

use self::{
    gather::{Gathering, Question},
    route::Route,
};
use crate::body::with_body_of;

/// The name that libvirt-dbus has.
const LEGACY_NAME: &str = "org.libvirt";

/// The bus itself.
const BUS: &str = "org.freedesktop.DBus";

/// The error name that libvirt-dbus gives to every failure.
const LEGACY_ERROR: &str = "org.libvirt.Error";

/// Calls on their way at the same time; more are refused.
const MAX_PENDING: usize = 4096;

/// Senders whose user is kept; unique names are never used again, so forgetting them costs one question.
const MAX_SENDERS: usize = 4096;

/// Who a sender is.
#[derive(Debug)]
enum Sender {
    /// The bus has been asked; these calls wait for its answer.
    Asked(Vec<Message>),
    /// User and process (0 where unknown).
    Known(u32, u32),
}

/// What a reply is to.
#[derive(Debug)]
enum Pending {
    /// The bus's answer about this sender.
    Credentials(String),
    /// A relayed call, and the daemon it went to.
    Call(Message, &'static str),
    /// A part of what all daemons are asked for.
    Part(Arc<Mutex<Gathering>>),
}

/// The relay of one bus connection.
#[derive(Debug)]
struct Relay {
    connection: Connection,
    senders: HashMap<String, Sender>,
    pending: HashMap<NonZeroU32, Pending>,
    clients: watch::Sender<usize>,
}

/// Relays on this bus for ever; a bus that is not there or goes away is tried again, ever more slowly. `clients` counts
/// those on the bus who have called: they wait for signals, which nobody but this process brings.
pub(crate) async fn serve(bus: Bus, clients: watch::Sender<usize>) {
    const FIRST_WAIT: Duration = Duration::from_secs(1);
    const LONGEST_WAIT: Duration = Duration::from_secs(60);
    let mut wait = FIRST_WAIT;
    loop {
        let began = Instant::now();
        let ended = match connect(bus).await {
            Ok(connection) => Relay::new(connection, clients.clone()).run().await,
            Err(error) => Err(error),
        };
        clients.send_replace(0);
        let why = ended.err().map_or_else(|| "the bus closed the connection".to_owned(), |it| it.to_string());
        if began.elapsed() > LONGEST_WAIT {
            wait = FIRST_WAIT;
        }
        tracing::warn!("{LEGACY_NAME} is not served on D-Bus: {why}; trying again in {} s", wait.as_secs());
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
}

async fn connect(bus: Bus) -> zbus::Result<Connection> {
    match bus {
        Bus::System => zbus::connection::Builder::system(),
        Bus::Session => zbus::connection::Builder::session(),
    }
    .build()
    .await
}

impl Relay {
    fn new(connection: Connection, clients: watch::Sender<usize>) -> Self {
        Self { connection, senders: HashMap::new(), pending: HashMap::new(), clients }
    }

    /// Takes the legacy name and relays until the bus is gone.
    async fn run(mut self) -> zbus::Result<()> {
        let mut messages = MessageStream::from(&self.connection);
        let bus = DBusProxy::new(&self.connection).await?;
        for daemon in route::DAEMONS {
            bus.add_match_rule(MatchRule::builder().msg_type(Type::Signal).sender(daemon).build()?).await?;
        }
        let gone =
            MatchRule::builder().msg_type(Type::Signal).sender(BUS).member("NameOwnerChanged").arg(2, "").build()?;
        bus.add_match_rule(gone).await?;
        match bus.request_name(LEGACY_NAME.try_into()?, RequestNameFlags::DO_NOT_QUEUE).await? {
            RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner => {}
            RequestNameReply::Exists | RequestNameReply::InQueue => return Err(zbus::Error::NameTaken),
        }
        while let Some(message) = messages.try_next().await? {
            let done = match message.message_type() {
                Type::MethodCall => self.on_call(message).await,
                Type::MethodReturn | Type::Error => self.on_reply(&message).await,
                Type::Signal if message.header().member().is_some_and(|it| it == "NameOwnerChanged") => {
                    self.on_gone(&message)
                }
                Type::Signal => self.on_signal(&message).await,
            };
            if let Err(error) = done {
                tracing::warn!(%error, "a D-Bus message could not be relayed");
            }
            let known = self.senders.len();
            self.clients.send_if_modified(|it| std::mem::replace(it, known) != known);
        }
        Ok(())
    }

    async fn on_call(&mut self, call: Message) -> zbus::Result<()> {
        let header = call.header();
        let Some(sender) = header.sender().map(|it| it.as_str().to_owned()) else { return Ok(()) };
        if self.pending.len() >= MAX_PENDING {
            let text = format!("{MAX_PENDING} calls are on their way already; try again when some have returned");
            return self.refuse(&header, "org.freedesktop.DBus.Error.LimitsExceeded", &text).await;
        }
        match self.senders.get_mut(&sender) {
            Some(Sender::Known(uid, pid)) => {
                let (uid, pid) = (*uid, *pid);
                self.forward(&call, uid, pid).await
            }
            Some(Sender::Asked(waiting)) if waiting.len() >= MAX_PENDING => Ok(()),
            Some(Sender::Asked(waiting)) => {
                waiting.push(call);
                Ok(())
            }
            None => self.ask_for(sender, call).await,
        }
    }

    /// Asks the bus who the sender is; the call waits.
    async fn ask_for(&mut self, sender: String, call: Message) -> zbus::Result<()> {
        if self.senders.len() >= MAX_SENDERS {
            self.senders.retain(|_, it| matches!(it, Sender::Asked(_)));
        }
        let question = Message::method_call("/org/freedesktop/DBus", "GetConnectionCredentials")
            .destination(BUS)
            .interface(BUS)
            .build(&sender.as_str())?;
        self.pending.insert(question.primary_header().serial_num(), Pending::Credentials(sender.clone()));
        self.senders.insert(sender, Sender::Asked(vec![call]));
        self.connection.send(&question).await
    }

    /// Sends the call on, announced as its sender's.
    async fn forward(&mut self, call: &Message, uid: u32, pid: u32) -> zbus::Result<()> {
        let header = call.header();
        let flags = header.primary().flags();
        let question = match route::of(&header) {
            Route::To(daemon) => {
                let pending = (!flags.contains(Flags::NO_REPLY_EXPECTED)).then(|| Pending::Call(call.clone(), daemon));
                return self.ask(call, daemon, (uid, pid), pending).await;
            }
            // Nobody waits for the answer, so there is nothing to do.
            Route::All(_) if flags.contains(Flags::NO_REPLY_EXPECTED) => return Ok(()),
            Route::All(question) => question,
        };
        let gathering = Arc::new(Mutex::new(Gathering::new(call.clone(), question, route::DAEMONS.len())));
        for daemon in route::DAEMONS {
            self.ask(call, daemon, (uid, pid), Some(Pending::Part(gathering.clone()))).await?;
        }
        Ok(())
    }

    /// Sends the call to this daemon.
    async fn ask(
        &mut self,
        call: &Message,
        daemon: &'static str,
        (uid, pid): (u32, u32),
        pending: Option<Pending>,
    ) -> zbus::Result<()> {
        let header = call.header();
        let (Some(path), Some(member)) = (header.path(), header.member()) else { return Ok(()) };
        let flags = header.primary().flags();
        let mut onward = Message::method_call(path.clone(), member.clone()).destination(daemon).with_flags(flags);
        if let Some(interface) = header.interface() {
            onward = onward.interface(interface.clone());
        }
        let onward = with_body_of(call, onward)?;
        let serial = onward.primary_header().serial_num();
        let announcement = Message::method_call("/org/libvirt/QEMU", "Announce")
            .destination(daemon)
            .interface("org.libvirt.virtbus.Relay")
            .with_flags(Flags::NO_REPLY_EXPECTED)
            .build(&(serial.get(), uid, pid))?;
        if let Some(pending) = pending {
            self.pending.insert(serial, pending);
        }
        self.connection.send_all(&[announcement, onward]).await
    }

    /// A name has lost its owner. Only the bus itself is believed.
    fn on_gone(&mut self, signal: &Message) -> zbus::Result<()> {
        if signal.header().sender().is_some_and(|it| it == BUS) {
            let body = signal.body();
            let (name, _, _): (&str, &str, &str) = body.deserialize()?;
            self.senders.remove(name);
        }
        Ok(())
    }

    async fn on_reply(&mut self, reply: &Message) -> zbus::Result<()> {
        let header = reply.header();
        let Some(pending) = header.reply_serial().and_then(|it| self.pending.remove(&it)) else { return Ok(()) };
        match pending {
            Pending::Credentials(sender) => self.on_credentials(&sender, reply).await,
            Pending::Call(call, daemon) => self.answer(&call, daemon, reply).await,
            Pending::Part(gathering) => {
                let answer = gathering.lock().unwrap_or_else(PoisonError::into_inner).take(reply);
                match answer {
                    Some(answer) => self.connection.send(&answer?).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn on_credentials(&mut self, sender: &str, reply: &Message) -> zbus::Result<()> {
        let Some(Sender::Asked(waiting)) = self.senders.remove(sender) else { return Ok(()) };
        // An error means that the sender has gone: nobody waits for its calls.
        if reply.message_type() == Type::Error {
            return Ok(());
        }
        let credentials: ConnectionCredentials = reply.body().deserialize()?;
        let Some(uid) = credentials.unix_user_id() else { return Ok(()) };
        let pid = credentials.process_id().unwrap_or(0);
        self.senders.insert(sender.to_owned(), Sender::Known(uid, pid));
        for call in waiting {
            self.forward(&call, uid, pid).await?;
        }
        Ok(())
    }

    async fn answer(&self, call: &Message, daemon: &str, reply: &Message) -> zbus::Result<()> {
        let (asked, header) = (call.header(), reply.header());
        if reply.message_type() == Type::Error {
            let name = header.error_name().map_or("", |it| it.as_str());
            let text = reply.body().deserialize::<String>().unwrap_or_default();
            return match name {
                "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                    let text = format!("{daemon} is not on the bus; its daemon does not run: {text}");
                    self.refuse(&asked, LEGACY_ERROR, &text).await
                }
                _ if name.starts_with("org.libvirt.Error.") => self.refuse(&asked, LEGACY_ERROR, &text).await,
                _ => self.refuse(&asked, name, &text).await,
            };
        }
        let builder = Message::method_return(&asked);
        let answer = if has_doubled_variants(&asked) {
            let body = reply.body();
            let values: HashMap<String, Variant<'_>> = body.deserialize()?;
            let doubled: HashMap<_, _> =
                values.into_iter().map(|(key, it)| (key, Variant::Variant(Box::new(it)))).collect();
            builder.build(&doubled)?
        } else {
            with_body_of(reply, builder)?
        };
        self.connection.send(&answer).await
    }

    async fn on_signal(&self, signal: &Message) -> zbus::Result<()> {
        let header = signal.header();
        let (Some(path), Some(interface), Some(member)) = (header.path(), header.interface(), header.member()) else {
            return Ok(());
        };
        // The bus's own signals (NameAcquired) come unasked.
        if !path.as_str().starts_with("/org/libvirt/") {
            return Ok(());
        }
        for pending in self.pending.values() {
            if let Pending::Part(gathering) = pending {
                gathering.lock().unwrap_or_else(PoisonError::into_inner).overtaken_by(signal)?;
            }
        }
        let builder = Message::signal(path.clone(), interface.clone(), member.clone());
        self.connection.send(&with_body_of(signal, builder)?).await
    }

    async fn refuse(&self, call: &Header<'_>, name: &str, text: &str) -> zbus::Result<()> {
        if call.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            return Ok(());
        }
        let name = if name.is_empty() { LEGACY_ERROR } else { name };
        self.connection.send(&Message::error(call, name).build(&text)?).await
    }
}

/// Whether libvirt-dbus wraps the values of the reply's dictionary twice.
fn has_doubled_variants(call: &Header<'_>) -> bool {
    let is = |interface: &str, member: &str| {
        call.interface().is_some_and(|it| it == interface) && call.member().is_some_and(|it| it == member)
    };
    is("org.freedesktop.DBus.Properties", "GetAll") || is("org.libvirt.Domain", "GetStats")
}
