//! The two renderings of a character device: the pairs of `-chardev`, the members of `chardev-add`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Backend, Socket, escape, on_off};

impl Socket {
    /// The pairs after the address.
    fn pairs(&self, out: &mut String) {
        if self.server {
            out.push_str(if self.waits { ",server=on" } else { ",server=on,wait=off" });
        }
        if let Some(reconnect) = self.reconnect_ms {
            let _ = write!(out, ",reconnect-ms={reconnect}");
        }
    }

    fn members(&self, address: &Value) -> Value {
        let mut it = json!({"addr": address, "server": self.server});
        if self.server {
            it["wait"] = json!(self.waits);
        }
        if let Some(reconnect) = self.reconnect_ms {
            it["reconnect-ms"] = json!(reconnect);
        }
        it
    }
}

impl Backend {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Backend::Null => "null",
            Backend::Vc => "vc",
            Backend::Pty => "pty",
            Backend::Stdio => "stdio",
            Backend::File { .. } => "file",
            Backend::Serial { .. } => "serial",
            Backend::Parallel { .. } => "parallel",
            Backend::Pipe { .. } => "pipe",
            Backend::Unix { .. } | Backend::Fd { .. } | Backend::Tcp { .. } => "socket",
            Backend::Udp { .. } => "udp",
            Backend::SpiceVmc { .. } => "spicevmc",
            Backend::SpicePort { .. } => "spiceport",
            Backend::Vdagent { .. } => "qemu-vdagent",
            Backend::Dbus { .. } => "dbus",
        }
    }

    pub(super) fn pairs(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Backend::Null | Backend::Vc | Backend::Pty | Backend::Stdio => Ok(()),
            Backend::File { path, append } => match append {
                None => write!(out, ",path={}", escape(path)),
                Some(append) => write!(out, ",path={},append={}", escape(path), on_off(*append)),
            },
            Backend::Serial { path } | Backend::Parallel { path } | Backend::Pipe { path } => {
                write!(out, ",path={}", escape(path))
            }
            Backend::Unix { path, socket } => {
                let _ = write!(out, ",path={}", escape(path));
                socket.pairs(out);
                Ok(())
            }
            Backend::Fd { fd, socket } => {
                let _ = write!(out, ",fd={fd}");
                socket.pairs(out);
                Ok(())
            }
            Backend::Tcp { host, port, telnet, socket, tls } => {
                let _ = write!(out, ",host={},port={}", escape(host), escape(port));
                if *telnet {
                    out.push_str(",telnet=on");
                }
                socket.pairs(out);
                tls.as_ref().map_or(Ok(()), |tls| write!(out, ",tls-creds={tls}"))
            }
            Backend::Udp { to: (host, port), from: (own_host, own_port) } => {
                let _ = write!(out, ",host={},port={}", escape(host), escape(port));
                write!(out, ",localaddr={},localport={}", escape(own_host), escape(own_port))
            }
            Backend::SpiceVmc { name } => write!(out, ",name={name}"),
            Backend::SpicePort { name } | Backend::Dbus { name } => write!(out, ",name={}", escape(name)),
            Backend::Vdagent { mouse, clipboard } => {
                out.push_str(",name=vdagent");
                for (name, value) in [("clipboard", clipboard), ("mouse", mouse)] {
                    if let Some(value) = value {
                        let _ = write!(out, ",{name}={}", on_off(*value));
                    }
                }
                Ok(())
            }
        };
    }

    /// The `data` of `chardev-add`.
    pub(super) fn members(&self) -> Value {
        match self {
            Backend::Null | Backend::Vc | Backend::Pty | Backend::Stdio => json!({}),
            Backend::File { path, append } => match append {
                None => json!({"out": path}),
                Some(append) => json!({"out": path, "append": append}),
            },
            Backend::Serial { path } | Backend::Parallel { path } | Backend::Pipe { path } => json!({"device": path}),
            Backend::Unix { path, socket } => socket.members(&json!({"type": "unix", "data": {"path": path}})),
            // Over QMP the descriptor was handed over by getfd under this name.
            Backend::Fd { fd, socket } => socket.members(&json!({"type": "fd", "data": {"str": fd.to_string()}})),
            Backend::Tcp { host, port, telnet, socket, tls } => {
                let mut it = socket.members(&json!({"type": "inet", "data": {"host": host, "port": port}}));
                if *telnet {
                    it["telnet"] = json!(true);
                }
                if let Some(tls) = tls {
                    it["tls-creds"] = json!(tls);
                }
                it
            }
            Backend::Udp { to: (host, port), from: (own_host, own_port) } => json!({
                "remote": {"type": "inet", "data": {"host": host, "port": port}},
                "local": {"type": "inet", "data": {"host": own_host, "port": own_port}},
            }),
            Backend::SpiceVmc { name } => json!({"type": name}),
            Backend::SpicePort { name } => json!({"fqdn": name}),
            Backend::Dbus { name } => json!({"name": name}),
            Backend::Vdagent { mouse, clipboard } => {
                let mut it = json!({});
                for (name, value) in [("clipboard", clipboard), ("mouse", mouse)] {
                    if let Some(value) = value {
                        it[name] = json!(value);
                    }
                }
                it
            }
        }
    }
}
