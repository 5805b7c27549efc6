//! Answers method calls: finds the object that a message is for, and calls its interface.
//!
//! Introspection of a branch names its children only. The standard interfaces are answered here ([`crate::standard`]);
//! everything else by the `zbus::interface` types of [`crate::objects`].

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
};
use zbus::{
    BoxDBusError, Connection, DBusError, Message, OwnedVariant, Variant, fdo,
    message::{Flags, Header},
    object_server::{DispatchResult, SignalEmitter},
};

use crate::{
    access::Access,
    objects::{Object, Objects, Served},
    relay::Relay,
    signals::Signals,
    standard,
};

/// Calls that run at the same time; more wait on the bus.
const MAX_CALLS: usize = 1024;

/// Answers the method calls of one connection.
#[derive(Debug)]
pub(crate) struct Dispatch {
    connection: Connection,
    access: Arc<Access>,
    objects: Arc<Objects>,
    server: Server,
    manager: Manager,
    calls: JoinSet<()>,
    under_way: watch::Sender<usize>,
}

/// What tells callers of all objects. Whoever sends a signal or such an answer holds it, so that they have one order.
#[derive(Debug, Clone)]
struct Manager {
    signals: Arc<Mutex<Signals>>,
    turn: Arc<Mutex<()>>,
}

/// A call that is counted for as long as this lives.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|it| *it += 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|it| *it = it.saturating_sub(1));
    }
}

impl Dispatch {
    pub(crate) async fn new(
        connection: Connection,
        access: Arc<Access>,
        objects: Arc<Objects>,
        under_way: watch::Sender<usize>,
    ) -> zbus::Result<Self> {
        let server = Server(Arc::new(unreachable_server().await?));
        let signals = Signals::new(connection.clone(), objects.clone(), server.clone());
        let manager = Manager { signals: Arc::new(Mutex::new(signals)), turn: Arc::default() };
        Ok(Self { connection, access, objects, server, manager, calls: JoinSet::new(), under_way })
    }

    /// What sends the signals about the same objects.
    pub(crate) fn signals(&self) -> Arc<Mutex<Signals>> {
        self.manager.signals.clone()
    }

    /// Waits for the calls under way. It may be dropped while it waits.
    pub(crate) async fn finish(&mut self) {
        while self.calls.join_next().await.is_some() {}
    }

    /// Starts the call; with very many under way it waits for one of them to end.
    pub(crate) async fn call(&mut self, message: Message) {
        while self.calls.try_join_next().is_some() {}
        if self.calls.len() >= MAX_CALLS {
            self.calls.join_next().await;
        }
        // An announcement counts for the message behind it, so it is noted before that one is looked at.
        Relay::note(&self.access, &message).await;
        let under_way = (self.access.begin(&message.header()), Counted::new(&self.under_way));
        let call = Call {
            connection: self.connection.clone(),
            objects: self.objects.clone(),
            server: self.server.clone(),
            manager: self.manager.clone(),
            message: message.clone(),
        };
        self.calls.spawn(async move {
            let _under_way = under_way;
            let header = message.header();
            let Err(error) = call.run(&header).await else { return };
            if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
                return;
            }
            if let Err(error) = call.connection.reply_dbus_error(&header, error).await {
                tracing::debug!(%error, "a D-Bus error could not be sent");
            }
        });
    }
}

/// The interface trait asks for an object server; this one serves nothing and is on no bus.
#[derive(Debug, Clone)]
pub(crate) struct Server(Arc<Connection>);

impl Server {
    /// All properties of an interface.
    pub(crate) async fn properties(
        &self,
        it: &Served,
        emitter: &SignalEmitter<'_>,
    ) -> zbus::Result<HashMap<String, OwnedVariant>> {
        let mut all = HashMap::new();
        for part in &it.parts {
            let read = part.get_all(self.0.object_server(), &self.0, None, emitter).await;
            all.extend(read.map_err(|it| {
                zbus::Error::Failure(it.description().unwrap_or("properties cannot be read").to_owned())
            })?);
        }
        Ok(all)
    }
}

/// The object server of a connection between ourselves.
async fn unreachable_server() -> zbus::Result<Connection> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let guid = zbus::Guid::generate();
    let server = zbus::connection::Builder::unix_stream(ours).server(guid).p2p();
    let client = zbus::connection::Builder::unix_stream(theirs).p2p();
    let (server, _client) = tokio::try_join!(server.build(), client.build())?;
    Ok(server)
}

/// One method call.
struct Call {
    connection: Connection,
    objects: Arc<Objects>,
    server: Server,
    manager: Manager,
    message: Message,
}

impl Call {
    async fn run(&self, header: &Header<'_>) -> Result<(), BoxDBusError> {
        let path = header.path().ok_or_else(|| invalid("a call without a path"))?.as_str();
        let member = header.member().ok_or_else(|| invalid("a call without a member"))?.as_str();
        let interface = header.interface().map(|it| it.as_str());
        if interface == Some("org.freedesktop.DBus.Peer") {
            return self.peer(header, member).await;
        }
        let object = self.object(path)?;
        match (interface, member) {
            (Some(standard::INTROSPECTABLE), "Introspect") => {
                Ok(self.connection.reply(header, &self.introspection(&object)).await?)
            }
            (Some(standard::PROPERTIES), _) => self.properties(header, &object, member).await,
            (Some(standard::OBJECT_MANAGER), "GetManagedObjects") if matches!(object, Object::Root) => {
                // One at a time, so that events wait for one such answer at most.
                let _turn = self.manager.turn.lock().await;
                let mut signals = self.manager.signals.lock().await;
                let all = signals.all().await?;
                // The signals of what happens next must not overtake it.
                Ok(self.connection.reply(header, &all).await?)
            }
            (interface, _) => {
                for it in self.interfaces(&object) {
                    if interface.is_none_or(|wanted| it.name == wanted) && self.invoke(it, header).await? {
                        return Ok(());
                    }
                }
                let interface = interface.unwrap_or("any interface");
                Err(fdo::Error::UnknownMethod(format!("{path} has no method {member} on {interface}")).into())
            }
        }
    }

    fn object(&self, path: &str) -> Result<Object<'_>, BoxDBusError> {
        let found = self.objects.at(path);
        let found = found.ok_or_else(|| fdo::Error::UnknownObject(format!("there is no object {path}")))?;
        found.map_err(|it| Box::new(it) as BoxDBusError)
    }

    fn interfaces<'c>(&'c self, object: &'c Object<'_>) -> &'c [Served] {
        match object {
            Object::Branch(_) | Object::Folder(_) => &[],
            Object::Root => &self.objects.root,
            Object::One(it) => std::slice::from_ref(it),
        }
    }

    /// Whether the interface has the method; it has been answered then.
    async fn invoke(&self, it: &Served, header: &Header<'_>) -> Result<bool, BoxDBusError> {
        let Some(member) = header.member() else { return Ok(false) };
        for part in &it.parts {
            match part.call(self.server.0.object_server(), &self.connection, &self.message, member.as_ref()) {
                DispatchResult::Async(done) => return done.await.map(|()| true),
                DispatchResult::NotFound | DispatchResult::RequiresMut => {}
            }
        }
        Ok(false)
    }

    async fn peer(&self, header: &Header<'_>, member: &str) -> Result<(), BoxDBusError> {
        match member {
            "Ping" => Ok(self.connection.reply(header, &()).await?),
            "GetMachineId" => {
                let id = tokio::fs::read_to_string("/etc/machine-id")
                    .await
                    .map_err(|it| fdo::Error::Failed(format!("cannot read /etc/machine-id: {it}")))?;
                Ok(self.connection.reply(header, &id.trim()).await?)
            }
            _ => Err(fdo::Error::UnknownMethod(format!("a peer has no method {member}")).into()),
        }
    }

    fn introspection(&self, object: &Object<'_>) -> String {
        let mut xml = standard::introspection_head(matches!(object, Object::Root));
        for it in self.interfaces(object) {
            it.introspect_to(&mut xml, 2);
        }
        let children = match object {
            Object::Branch(child) => vec![(*child).to_owned()],
            Object::Root => self.objects.kinds.iter().map(|it| it.folder().to_owned()).collect(),
            Object::Folder(kind) => kind.names(),
            Object::One(_) => Vec::new(),
        };
        standard::finish_introspection(xml, &children)
    }

    async fn properties(&self, header: &Header<'_>, object: &Object<'_>, member: &str) -> Result<(), BoxDBusError> {
        let body = self.message.body();
        let wrong = |it: zbus::Error| BoxDBusError::from(fdo::Error::InvalidArgs(it.to_string()));
        let path = header.path().ok_or_else(|| invalid("a call without a path"))?;
        let emitter = SignalEmitter::new(&self.connection, path)?;
        let server = self.server.0.object_server();
        match member {
            "Get" => {
                let (interface, name): (&str, &str) = body.deserialize().map_err(wrong)?;
                for part in &self.interface(object, interface)?.parts {
                    if let Some(value) = part.get(name, server, &self.connection, Some(header), &emitter).await {
                        return Ok(self.connection.reply(header, &value?).await?);
                    }
                }
                Err(unknown_property(interface, name))
            }
            "GetAll" => {
                let interface: &str = body.deserialize().map_err(wrong)?;
                let values = self.server.properties(self.interface(object, interface)?, &emitter).await?;
                Ok(self.connection.reply(header, &values).await?)
            }
            "Set" => {
                let (interface, name, value): (&str, &str, Variant<'_>) = body.deserialize().map_err(wrong)?;
                for part in &self.interface(object, interface)?.parts {
                    match part.set(name, &value, server, &self.connection, Some(header), &emitter) {
                        DispatchResult::Async(done) => {
                            done.await?;
                            return Ok(self.connection.reply(header, &()).await?);
                        }
                        // Every setter takes `&self`, so there is no property that could ask for more.
                        DispatchResult::NotFound | DispatchResult::RequiresMut => {}
                    }
                }
                Err(unknown_property(interface, name))
            }
            _ => Err(fdo::Error::UnknownMethod(format!("properties have no method {member}")).into()),
        }
    }

    fn interface<'c>(&'c self, object: &'c Object<'_>, name: &str) -> Result<&'c Served, BoxDBusError> {
        let found = self.interfaces(object).iter().find(|it| it.name == name);
        found.ok_or_else(|| fdo::Error::UnknownInterface(format!("the object has no interface {name}")).into())
    }
}

fn invalid(text: &str) -> BoxDBusError {
    fdo::Error::InvalidArgs(text.to_owned()).into()
}

fn unknown_property(interface: &str, name: &str) -> BoxDBusError {
    fdo::Error::UnknownProperty(format!("{interface} has no property {name}")).into()
}
