//! A bus of its own, a front on it, and a client.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use futures_util::StreamExt as _;
use virtbus_dbus_front::{Bus, Engine, Front};
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedVariant, message::Type};

/// The name that every front takes on its own bus.
pub(crate) const NAME: &str = "org.libvirt.daemon";
/// Where the objects are.
pub(crate) const ROOT: &str = "/org/libvirt/QEMU";
/// The root's interface.
pub(crate) const CONNECT: &str = "org.libvirt.Connect";

/// A bus of its own, a front on it, and a client.
pub(crate) struct Stand {
    bus: Child,
    pub(crate) client: Connection,
    _directory: tempfile::TempDir,
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

impl Stand {
    pub(crate) async fn new(engine: Engine) -> Self {
        let (stand, front) = Self::with_front(engine).await;
        #[allow(clippy::disallowed_methods, reason = "a test supervises nothing")]
        tokio::task::spawn(front.run());
        stand
    }

    /// With a front that does not run yet.
    pub(crate) async fn with_front(engine: Engine) -> (Self, Front) {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><policy context='default'>\
             <allow send_destination='*' eavesdrop='true'/><allow receive_sender='*' eavesdrop='true'/>\
             <allow own='*'/></policy></busconfig>",
            directory.path().join("bus").display()
        );
        std::fs::write(&config, text).unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test starts the bus as a user would")]
        let mut bus = std::process::Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let front = Front::connect(Bus::Address(address.clone()), NAME, own_uid(), engine).await.unwrap();
        let client = zbus::connection::Builder::address(address.as_str()).build().await.unwrap();
        (Self { bus, client, _directory: directory }, front)
    }

    pub(crate) async fn call<B, R>(&self, path: &str, interface: &str, member: &str, body: &B) -> zbus::Result<R>
    where
        B: serde::Serialize + zbus::DynamicType,
        R: serde::de::DeserializeOwned + zbus::Type,
    {
        let reply = self.client.call_method(Some(NAME), path, Some(interface), member, body).await?;
        reply.body().deserialize()
    }

    pub(crate) async fn property<T: TryFrom<OwnedVariant>>(&self, path: &str, interface: &str, name: &str) -> T
    where
        T::Error: std::fmt::Debug,
    {
        let value: OwnedVariant =
            self.call(path, "org.freedesktop.DBus.Properties", "Get", &(interface, name)).await.unwrap();
        T::try_from(value).unwrap()
    }

    /// The signals that the front sends from now on.
    pub(crate) async fn signals(&self) -> Signals {
        let rule = MatchRule::builder().msg_type(Type::Signal).sender(NAME).build().unwrap();
        Signals(MessageStream::for_match_rule(rule, &self.client, None).await.unwrap())
    }

    /// What an interface says of itself is frozen: `UPDATE_GOLDEN=1` rewrites it.
    pub(crate) async fn check_introspection(&self, path: &str, interface: &str, file: &str) {
        let xml: String = self.call(path, "org.freedesktop.DBus.Introspectable", "Introspect", &()).await.unwrap();
        let start = xml.find(&format!("<interface name=\"{interface}\">")).unwrap();
        let end = start + xml[start..].find("</interface>").unwrap() + "</interface>".len();
        check_golden(file, &format!("{}\n", &xml[start..end]));
    }
}

/// Signals as they come.
pub(crate) struct Signals(MessageStream);

impl Signals {
    /// The next signal of this name.
    pub(crate) async fn next(&mut self, member: &str) -> Message {
        let mut others = Vec::new();
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), self.0.next())
                .await
                .unwrap_or_else(|_| panic!("no {member}, only {others:?} came"))
                .unwrap()
                .unwrap();
            let name = message.header().member().unwrap().as_str().to_owned();
            if name == member {
                return message;
            }
            others.push(name);
        }
    }
}

pub(crate) fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}

pub(crate) fn error_of<T: std::fmt::Debug>(result: zbus::Result<T>) -> (String, String) {
    match result {
        Err(zbus::Error::MethodError(name, text, _)) => (name.as_str().to_owned(), text.unwrap_or_default()),
        other => panic!("an error reply was expected, not {other:?}"),
    }
}

fn check_golden(name: &str, text: &str) {
    let path = format!("{}/../../tests/golden/dbus/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{path} (UPDATE_GOLDEN=1 rewrites it)");
}
