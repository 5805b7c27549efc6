//! Which object a message is for: objects are computed from the engine's list, never registered.
//!
//! A domain's object is its UUID and nothing else, so 5,000 definitions cost neither memory nor start-up time here, and
//! there is no registry to fall behind the engine. Introspection of a branch names its children only. The standard
//! interfaces are answered here ([`crate::standard`]); everything else by the `zbus::interface` types.

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;
use virtbus_api::flags::ListFilter;
use zbus::{
    BoxDBusError, Connection, DBusError, Message, ObjectServer, OwnedVariant, Variant, fdo,
    message::{Flags, Header},
    object_server::{DispatchResult, Interface, SignalEmitter},
};

use crate::{connect::Connect, domain::Domain, error::Error, front::Cx, paths, relay::Relay, standard};

/// Calls that run at the same time; more wait on the bus.
const MAX_CALLS: usize = 1024;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    /// Above the root: only children.
    Branch(&'static str),
    /// The hypervisor.
    Root,
    /// The domains' parent.
    Domains,
    /// A domain that the engine knows.
    Domain(Uuid),
}

/// Answers the method calls of one connection.
#[derive(Debug)]
pub(crate) struct Dispatch {
    connection: Connection,
    cx: Arc<Cx>,
    /// The interface trait asks for an object server; ours serves nothing and is on no bus.
    server: Arc<Connection>,
    calls: JoinSet<()>,
    under_way: watch::Sender<usize>,
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
        cx: Arc<Cx>,
        under_way: watch::Sender<usize>,
    ) -> zbus::Result<Self> {
        let server = Arc::new(unreachable_server().await?);
        Ok(Self { connection, cx, server, calls: JoinSet::new(), under_way })
    }

    /// Starts the call; with very many under way it waits for one of them to end.
    pub(crate) async fn call(&mut self, message: Message) {
        while self.calls.try_join_next().is_some() {}
        if self.calls.len() >= MAX_CALLS {
            self.calls.join_next().await;
        }
        // An announcement counts for the message behind it, so it is noted before that one is looked at.
        Relay::note(&self.cx, &message).await;
        let under_way = (self.cx.access.begin(&message.header()), Counted::new(&self.under_way));
        let call = Call {
            connection: self.connection.clone(),
            cx: self.cx.clone(),
            server: self.server.clone(),
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
    cx: Arc<Cx>,
    server: Arc<Connection>,
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
                Ok(self.connection.reply(header, &self.introspection(object)).await?)
            }
            (Some(standard::PROPERTIES), _) => self.properties(header, object, member).await,
            (Some(standard::OBJECT_MANAGER), "GetManagedObjects") if object == Object::Root => {
                Ok(self.connection.reply(header, &self.managed().await?).await?)
            }
            (interface, _) => {
                for it in self.interfaces(object) {
                    if interface.is_none_or(|wanted| wanted == it.name) && it.invoke(self, header).await? {
                        return Ok(());
                    }
                }
                let interface = interface.unwrap_or("any interface");
                Err(fdo::Error::UnknownMethod(format!("{path} has no method {member} on {interface}")).into())
            }
        }
    }

    /// What the path names. A domain's path without that domain gets libvirt's error, as clients of libvirt-dbus expect.
    fn object(&self, path: &str) -> Result<Object, BoxDBusError> {
        match path {
            "/" => Ok(Object::Branch("org")),
            "/org" => Ok(Object::Branch("libvirt")),
            "/org/libvirt" => Ok(Object::Branch("QEMU")),
            paths::ROOT => Ok(Object::Root),
            paths::DOMAINS => Ok(Object::Domains),
            _ => {
                let uuid = paths::domain_uuid(path)
                    .ok_or_else(|| fdo::Error::UnknownObject(format!("there is no object {path}")))?;
                let known = self.cx.driver.lookup_by_uuid(uuid);
                known.map_err(|it| Box::new(Error::from(it)) as BoxDBusError)?;
                Ok(Object::Domain(uuid))
            }
        }
    }

    fn interfaces(&self, object: Object) -> Vec<Served> {
        match object {
            Object::Branch(_) | Object::Domains => Vec::new(),
            Object::Root => {
                vec![Served::of(Connect { cx: self.cx.clone() }), Served::of(Relay { cx: self.cx.clone() })]
            }
            Object::Domain(uuid) => vec![Served::of(Domain { cx: self.cx.clone(), uuid })],
        }
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

    fn introspection(&self, object: Object) -> String {
        let mut xml = standard::introspection_head(object == Object::Root);
        for it in self.interfaces(object) {
            it.interface.introspect_to_writer(&mut xml, 2);
        }
        let children = match object {
            Object::Branch(child) => vec![child.to_owned()],
            Object::Root => vec!["domain".to_owned()],
            Object::Domains => {
                let list = self.cx.driver.list(ListFilter::empty());
                list.iter().map(|it| paths::domain_name(it.uuid)).collect()
            }
            Object::Domain(_) => Vec::new(),
        };
        standard::finish_introspection(xml, &children)
    }

    async fn properties(&self, header: &Header<'_>, object: Object, member: &str) -> Result<(), BoxDBusError> {
        let body = self.message.body();
        let wrong = |it: zbus::Error| BoxDBusError::from(fdo::Error::InvalidArgs(it.to_string()));
        let path = header.path().ok_or_else(|| invalid("a call without a path"))?;
        let emitter = SignalEmitter::new(&self.connection, path)?;
        let server = self.server.object_server();
        match member {
            "Get" => {
                let (interface, name): (&str, &str) = body.deserialize().map_err(wrong)?;
                let it = self.interface(object, interface)?;
                let value = it.interface.get(name, server, &self.connection, Some(header), &emitter).await;
                let value = value.ok_or_else(|| unknown_property(interface, name))??;
                Ok(self.connection.reply(header, &value).await?)
            }
            "GetAll" => {
                let interface: &str = body.deserialize().map_err(wrong)?;
                let it = self.interface(object, interface)?;
                let values = it.interface.get_all(server, &self.connection, Some(header), &emitter).await?;
                Ok(self.connection.reply(header, &values).await?)
            }
            "Set" => {
                let (interface, name, value): (&str, &str, Variant<'_>) = body.deserialize().map_err(wrong)?;
                let it = self.interface(object, interface)?;
                match it.interface.set(name, &value, server, &self.connection, Some(header), &emitter) {
                    DispatchResult::Async(done) => done.await?,
                    // Every setter takes `&self`, so there is no property that could ask for more.
                    DispatchResult::NotFound | DispatchResult::RequiresMut => {
                        return Err(unknown_property(interface, name));
                    }
                }
                Ok(self.connection.reply(header, &()).await?)
            }
            _ => Err(fdo::Error::UnknownMethod(format!("properties have no method {member}")).into()),
        }
    }

    fn interface(&self, object: Object, name: &str) -> Result<Served, BoxDBusError> {
        let found = self.interfaces(object).into_iter().find(|it| it.name == name);
        found.ok_or_else(|| fdo::Error::UnknownInterface(format!("the object has no interface {name}")).into())
    }

    async fn managed(&self) -> Result<standard::Managed, BoxDBusError> {
        let mut objects = HashMap::new();
        for domain in self.cx.driver.list(ListFilter::empty()) {
            let path = paths::domain(domain.uuid);
            let it = Domain { cx: self.cx.clone(), uuid: domain.uuid };
            let properties = properties_of(&it, &self.connection, self.server.object_server(), &path).await?;
            let interfaces = HashMap::from([("org.libvirt.Domain".to_owned(), properties)]);
            objects.insert(path, interfaces);
        }
        Ok(objects)
    }
}

/// All properties of a domain's object.
async fn properties_of(
    domain: &Domain,
    connection: &Connection,
    server: &ObjectServer,
    path: &zbus::OwnedObjectPath,
) -> Result<HashMap<String, OwnedVariant>, BoxDBusError> {
    let emitter = SignalEmitter::new(connection, path)?;
    Ok(domain.get_all(server, connection, None, &emitter).await?)
}

impl Dispatch {
    /// All properties of a domain's object, for the signal that announces it.
    pub(crate) async fn properties(&self, uuid: Uuid) -> zbus::Result<HashMap<String, OwnedVariant>> {
        let domain = Domain { cx: self.cx.clone(), uuid };
        properties_of(&domain, &self.connection, self.server.object_server(), &paths::domain(uuid))
            .await
            .map_err(|it| zbus::Error::Failure(it.description().unwrap_or("properties cannot be read").to_owned()))
    }
}

/// An interface of an object.
struct Served {
    name: &'static str,
    interface: Box<dyn Interface>,
}

impl Served {
    fn of<I: Interface>(interface: I) -> Self {
        // Interface names are literals in the attribute of each type.
        let name = match I::name().as_str() {
            "org.libvirt.Connect" => "org.libvirt.Connect",
            "org.libvirt.Domain" => "org.libvirt.Domain",
            _ => "org.libvirt.virtbus.Relay",
        };
        Self { name, interface: Box::new(interface) }
    }

    /// Whether the interface has the method; it has been answered then.
    async fn invoke(&self, call: &Call, header: &Header<'_>) -> Result<bool, BoxDBusError> {
        let Some(member) = header.member() else { return Ok(false) };
        match self.interface.call(call.server.object_server(), &call.connection, &call.message, member.as_ref()) {
            DispatchResult::Async(done) => done.await.map(|()| true),
            DispatchResult::NotFound | DispatchResult::RequiresMut => Ok(false),
        }
    }
}

fn invalid(text: &str) -> BoxDBusError {
    fdo::Error::InvalidArgs(text.to_owned()).into()
}

fn unknown_property(interface: &str, name: &str) -> BoxDBusError {
    fdo::Error::UnknownProperty(format!("{interface} has no property {name}")).into()
}
