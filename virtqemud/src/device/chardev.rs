//! Character devices of QEMU: what a serial port, a channel, a monitor leads to.
//!
//! `-chardev` takes key=value pairs only, `chardev-add` JSON only; both are written here from one value.

mod form;
mod source;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use virtbus_api::Result;

use super::Part;
use super::props::{Props, props};

pub(super) use source::resources;

/// Where the certificates of QEMU's servers and clients lie.
const CERTIFICATES: &str = "/etc/pki/qemu";

/// A character device.
#[derive(Debug, Clone, PartialEq)]
pub struct Chardev {
    /// Its id, `charserial0`.
    pub id: String,
    /// What it leads to.
    pub backend: Backend,
    /// A file that gets a copy of all that is written: its path, and whether to append.
    pub log: Option<(String, Option<bool>)>,
}

/// A socket that is listened on or connected to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Socket {
    /// Whether QEMU listens.
    pub server: bool,
    /// Whether it waits for the first client before it does anything else.
    pub waits: bool,
    /// Milliseconds until it connects again after a loss; 0 does not.
    pub reconnect_ms: Option<u64>,
}

/// Where the bytes go.
#[derive(Debug, Clone, PartialEq)]
pub enum Backend {
    /// Nowhere.
    Null,
    /// A virtual console in QEMU's window.
    Vc,
    /// A pseudo terminal, optionally with a symbolic link to it.
    Pty,
    /// QEMU's standard streams.
    Stdio,
    /// A file.
    File {
        /// Its path.
        path: String,
        /// Whether to append.
        append: Option<bool>,
    },
    /// A host's serial device.
    Serial {
        /// Its path.
        path: String,
    },
    /// A host's parallel port.
    Parallel {
        /// Its path.
        path: String,
    },
    /// A named pipe.
    Pipe {
        /// Its path.
        path: String,
    },
    /// A Unix socket by path.
    Unix {
        /// Its path.
        path: String,
        /// How it is used.
        socket: Socket,
    },
    /// A socket that is open already.
    Fd {
        /// Its number in QEMU.
        fd: i32,
        /// How it is used.
        socket: Socket,
    },
    /// TCP.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port or service.
        port: String,
        /// Whether to speak the telnet protocol.
        telnet: bool,
        /// How it is used.
        socket: Socket,
        /// The id of the TLS credentials.
        tls: Option<String>,
    },
    /// UDP.
    Udp {
        /// Where to send: host and port.
        to: (String, String),
        /// Where to receive: address, empty for any, and port, 0 for any.
        from: (String, String),
    },
    /// SPICE's guest agent and smart cards.
    SpiceVmc {
        /// `vdagent`, `usbredir`, `smartcard`.
        name: &'static str,
    },
    /// A named SPICE port.
    SpicePort {
        /// Its name.
        name: String,
    },
    /// The clipboard of QEMU itself.
    Vdagent {
        /// Whether the mouse goes through the agent.
        mouse: Option<bool>,
        /// Whether the clipboard is shared.
        clipboard: Option<bool>,
    },
    /// QEMU's D-Bus display.
    Dbus {
        /// The channel's name.
        name: String,
    },
}

/// Doubles commas, which separate the pairs.
pub(crate) fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

pub(super) fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

impl Chardev {
    /// A device without a log.
    #[must_use]
    pub fn new(id: impl Into<String>, backend: Backend) -> Self {
        Self { id: id.into(), backend, log: None }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The argument of `-chardev`.
    #[must_use]
    pub fn argument(&self) -> String {
        let mut out = format!("{},id={}", self.backend.kind(), self.id);
        self.backend.pairs(&mut out);
        if let Some((path, append)) = &self.log {
            let _ = write!(out, ",logfile={}", escape(path));
            if let Some(append) = append {
                let _ = write!(out, ",logappend={}", on_off(*append));
            }
        }
        out
    }

    /// The arguments of `chardev-add`.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn arguments(&self) -> Result<Box<RawValue>> {
        #[derive(Serialize)]
        struct Add<'a> {
            id: &'a str,
            backend: Backend<'a>,
        }
        #[derive(Serialize)]
        struct Backend<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            data: Value,
        }
        let mut data = self.backend.members();
        if let Some((path, append)) = &self.log {
            data["logfile"] = json!(path);
            if let Some(append) = append {
                data["logappend"] = json!(append);
            }
        }
        let add = Add { id: &self.id, backend: Backend { kind: self.backend.kind(), data } };
        Ok(Props::new(&*self.id, &add)?.json().to_owned())
    }
}

impl Chardev {
    /// The device with the objects it needs before it.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn into_parts(self) -> Result<Vec<Part>> {
        props! {
            struct Credentials<'a> {
                qom_type: &'static str,
                id: &'a str,
                dir: &'static str,
                endpoint: &'static str,
                verify_peer: bool,
            }
        }
        let mut parts = Vec::new();
        if let Backend::Tcp { socket, tls: Some(id), .. } = &self.backend {
            let endpoint = if socket.server { "server" } else { "client" };
            let credentials =
                Credentials { qom_type: "tls-creds-x509", id, dir: CERTIFICATES, endpoint, verify_peer: true };
            parts.push(Part::object(id, &credentials)?);
        }
        parts.push(Part::Chardev(self));
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_socket() {
        let socket = Socket { server: true, waits: false, reconnect_ms: None };
        let it = Chardev::new("charchannel0", Backend::Unix { path: "/run/a,b".to_owned(), socket });
        assert_eq!(it.argument(), "socket,id=charchannel0,path=/run/a,,b,server=on,wait=off");
        let text = it.arguments().expect("plain data").get().to_owned();
        assert!(text.starts_with(r#"{"id":"charchannel0","backend":{"type":"socket","data":{"#), "{text}");
        assert!(text.contains(r#""data":{"path":"/run/a,b"}"#), "{text}");
    }

    #[test]
    fn log_and_append() {
        let mut it = Chardev::new("c", Backend::File { path: "/a".to_owned(), append: Some(true) });
        it.log = Some(("/b".to_owned(), Some(false)));
        assert_eq!(it.argument(), "file,id=c,path=/a,append=on,logfile=/b,logappend=off");
    }
}
