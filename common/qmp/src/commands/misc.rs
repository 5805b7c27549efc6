//! The monitor itself, descriptors passed to it, displays and keys, the human monitor.

use serde::{Deserialize, Serialize};

use crate::command::{Done, commands};

commands! {
    /// Leaves the negotiation: the first command of a connection. [`crate::Client`] sends it by itself.
    plain QmpCapabilities = "qmp_capabilities" -> Done;
    /// VNC's state.
    plain QueryVnc = "query-vnc" -> VncInfo;
    /// All VNC servers.
    plain QueryVncServers = "query-vnc-servers" -> Vec<VncServer>;
    /// Descriptor sets.
    plain QueryFdsets = "query-fdsets" -> Vec<FdsetInfo>;
    with HumanMonitorCommand = "human-monitor-command" -> String;
    with Screendump = "screendump" -> Done;
    with SendKey = "send-key" -> Done;
    with SetPassword = "set_password" -> Done;
    with ExpirePassword = "expire_password" -> Done;
    with AddFd = "add-fd" -> AddedFd;
    with RemoveFd = "remove-fd" -> Done;
    with GetFd = "getfd" -> Done;
    with CloseFd = "closefd" -> Done;
    with QueryVmGenerationId = "query-vm-generation-id" -> VmGenerationId;
}

/// A command of the human monitor; answers with text, also for errors.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HumanMonitorCommand {
    /// The line as a human would type it.
    pub command_line: String,
    /// Processor it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_index: Option<u64>,
}

/// Writes a picture of a display into a file.
#[derive(Debug, Clone, Serialize)]
pub struct Screendump {
    /// The file, or `/dev/fdset/N`.
    pub filename: String,
    /// Device id of the display; the first if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Which head of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<u32>,
    /// `ppm` (the default) or `png`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'static str>,
}

/// Presses keys together.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SendKey {
    /// The keys.
    pub keys: Vec<Key>,
    /// Milliseconds they are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_time: Option<u32>,
}

/// A key.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum Key {
    /// By QEMU's number (an XT scan code, with 0x80 set for the extended ones).
    Number(u32),
    /// By QEMU's name.
    Qcode(String),
}

/// Sets the password of a display.
#[derive(Clone, Serialize)]
pub struct SetPassword {
    /// `vnc` or `spice`.
    pub protocol: &'static str,
    /// The password.
    pub password: String,
    /// What becomes of clients: `keep`, `fail`, `disconnect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<String>,
}

impl std::fmt::Debug for SetPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetPassword").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Sets when the password of a display expires.
#[derive(Debug, Clone, Serialize)]
pub struct ExpirePassword {
    /// `vnc` or `spice`.
    pub protocol: &'static str,
    /// `now`, `never`, `+SECONDS`, or seconds since 1970.
    pub time: String,
}

/// Adds the descriptor that comes along to a set.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AddFd {
    /// The set; a new one if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdset_id: Option<u64>,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
}

/// Reply of [`AddFd`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AddedFd {
    /// The set.
    pub fdset_id: u64,
    /// The number of the descriptor within QEMU.
    pub fd: i64,
}

/// Removes descriptors from a set.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemoveFd {
    /// The set.
    pub fdset_id: u64,
    /// One descriptor of it; all if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<i64>,
}

/// A set of descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FdsetInfo {
    /// Its number.
    pub fdset_id: u64,
    /// Its descriptors.
    #[serde(default)]
    pub fds: Vec<FdInfo>,
}

/// A descriptor of a set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FdInfo {
    /// Its number within QEMU.
    pub fd: i64,
    /// Text given with it.
    pub opaque: Option<String>,
}

/// Names the descriptor that comes along.
#[derive(Debug, Clone, Serialize)]
pub struct GetFd {
    /// The name; must not begin with a digit.
    pub fdname: String,
}

/// Closes a named descriptor.
#[derive(Debug, Clone, Serialize)]
pub struct CloseFd {
    /// Its name.
    pub fdname: String,
}

/// VNC's state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VncInfo {
    /// Whether there is a server.
    pub enabled: bool,
    /// Address it listens on.
    pub host: Option<String>,
    /// Port.
    pub service: Option<String>,
    /// How clients authenticate.
    pub auth: Option<String>,
    /// Clients.
    #[serde(default)]
    pub clients: Vec<VncClient>,
}

/// A VNC client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VncClient {
    /// Its address.
    pub host: String,
    /// Its port.
    pub service: String,
}

/// A VNC server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VncServer {
    /// Its id.
    pub id: String,
    /// Where it listens.
    #[serde(default)]
    pub server: Vec<VncAddress>,
    /// How clients authenticate.
    pub auth: Option<String>,
}

/// An address of a VNC server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VncAddress {
    /// Address.
    pub host: String,
    /// Port.
    pub service: String,
    /// `ipv4`, `ipv6`, `unix`.
    pub family: Option<String>,
    /// Whether it speaks WebSocket.
    #[serde(default)]
    pub websocket: bool,
}

/// The VM generation id.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct QueryVmGenerationId;

/// Reply of [`QueryVmGenerationId`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VmGenerationId {
    /// In the usual form.
    pub guid: String,
}
