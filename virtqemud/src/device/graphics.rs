//! `<graphics>`: displays. They are options of the process, not devices: none can be added later.

use std::fmt::Write as _;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::graphics::{DbusDisplay, Graphics, ListenKind, SharePolicy, Vnc};
use virtbus_schema::xml::YesNo;

use super::chardev::escape;
use super::{AddressKind, Cx, Part, QemuDevice, Resource};

/// VNC counts displays from this port.
const FIRST_PORT: i32 = 5900;

impl QemuDevice for Graphics {
    fn resources(&self, _: &Cx<'_>) -> Vec<Resource> {
        match self {
            Graphics::Vnc(it) => it.socket.iter().map(|path| Resource::Socket { path: path.clone() }).collect(),
            Graphics::EglHeadless { rendernode } => {
                rendernode.iter().map(|path| Resource::Device { path: path.clone() }).collect()
            }
            _ => Vec::new(),
        }
    }

    fn address(&self) -> AddressKind {
        AddressKind::None
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        if cx.domain.devices.graphics.iter().filter(|it| it.tag() == self.tag()).count() > 1 {
            return Err(Error::unsupported_config(
                "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus, rdp) is supported",
            ));
        }
        match self {
            Graphics::Vnc(it) => {
                let mut parts = vec![Part::Option("-vnc", vnc(it, cx)?)];
                parts.extend(it.keymap.iter().map(|it| Part::Option("-k", it.clone())));
                Ok(parts)
            }
            Graphics::Sdl { display: _, xauth: _, fullscreen, gl } => {
                let mut text = "sdl".to_owned();
                if let Some(gl) = gl {
                    let _ = write!(text, ",gl={}", if gl.is_on() { "on" } else { "off" });
                }
                let mut parts = Vec::new();
                if *fullscreen == Some(YesNo::Yes) {
                    parts.push(Part::Option("-full-screen", String::new()));
                }
                parts.push(Part::Option("-display", text));
                Ok(parts)
            }
            Graphics::EglHeadless { rendernode } => {
                let path = render_node(rendernode.as_deref())?;
                Ok(vec![Part::Option("-display", format!("egl-headless,rendernode={}", escape(&path)))])
            }
            Graphics::Dbus(it) => Ok(vec![Part::Option("-display", dbus(it)?)]),
            Graphics::Spice(_) => Err(Error::unsupported_config("graphics type 'spice' is not supported yet")),
            Graphics::Rdp(_) => Err(Error::unsupported_config("graphics type 'rdp' is not supported yet")),
            Graphics::Desktop { .. } => {
                Err(Error::unsupported_config("graphics type 'desktop' is not supported by QEMU"))
            }
        }
    }
}

fn vnc(it: &Vnc, cx: &Cx<'_>) -> Result<String> {
    let Vnc {
        port,
        autoport,
        websocket,
        websocket_generated: _,
        listen: _,
        socket: _,
        // An option of its own.
        keymap: _,
        share_policy,
        power_control,
        passwd,
        // Both are told to the running display.
        passwd_valid_to: _,
        connected: _,
        listens,
        audio,
    } = it;
    if listens.len() > 1 {
        return Err(Error::unsupported_config("QEMU does not support multiple listens for one graphics device."));
    }
    let first = listens.first();
    let mut text = match first.map(|it| it.kind) {
        None | Some(ListenKind::None) => "none".to_owned(),
        Some(ListenKind::Socket) => {
            let path = match first.and_then(|it| it.socket.clone()) {
                Some(path) => path,
                // It is made at each start, beside the guest's other files.
                None if cx.only_shown => cx.home.join("vnc.sock").to_string_lossy().into_owned(),
                None => return Err(Error::internal("the VNC socket has no path yet")),
            };
            format!("vnc=unix:{}", escape(&path))
        }
        Some(ListenKind::Address | ListenKind::Network) => {
            let host = first.and_then(|it| it.address.as_deref()).unwrap_or("127.0.0.1");
            // An IPv6 address would run into the port.
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            // A port not chosen yet is shown as the first.
            let port = match *port {
                None | Some(-1) if *autoport != Some(YesNo::No) => FIRST_PORT,
                Some(port @ FIRST_PORT..=65_535) => port,
                None | Some(_) => return Err(Error::unsupported_config("vnc port must be in range [5900,65535]")),
            };
            format!("{}:{}", escape(&host), port - FIRST_PORT)
        }
    };
    if let (Some(websocket), Some(ListenKind::Address | ListenKind::Network)) = (websocket, first.map(|it| it.kind)) {
        let _ = write!(text, ",websocket={websocket}");
    }
    if let Some(policy) = share_policy {
        let policy = match policy {
            SharePolicy::AllowExclusive => "allow-exclusive",
            SharePolicy::ForceShared => "force-shared",
            SharePolicy::Ignore => "ignore",
        };
        let _ = write!(text, ",share={policy}");
    }
    if passwd.is_some() {
        text.push_str(",password=on");
    }
    if let Some(power) = power_control {
        let _ = write!(text, ",power-control={}", if power.is_on() { "on" } else { "off" });
    }
    let sound = audio.or_else(|| cx.domain.devices.audios.first().map(|it| it.id));
    if let Some(id) = sound {
        let _ = write!(text, ",audiodev=audio{id}");
    }
    Ok(text)
}

/// The node of the host that draws: the document's, else the first there is.
///
/// # Errors
/// The host has none.
fn render_node(said: Option<&str>) -> Result<String> {
    if let Some(path) = said {
        return Ok(path.to_owned());
    }
    let nodes = std::fs::read_dir(RENDERERS)
        .map_err(|error| Error::system(format!("cannot open directory '{RENDERERS}'"), &error))?;
    let names = nodes.flatten().filter_map(|it| it.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|it| it.starts_with("renderD")).collect();
    names.sort();
    let first = names.first().ok_or_else(|| Error::internal("No DRM render nodes available"))?;
    Ok(format!("{RENDERERS}/{first}"))
}

/// Where the kernel shows what can draw.
const RENDERERS: &str = "/dev/dri";

fn dbus(it: &DbusDisplay) -> Result<String> {
    let DbusDisplay { p2p, address, from_config: _, gl, audio } = it;
    let mut text = "dbus".to_owned();
    if *p2p == Some(YesNo::Yes) {
        text.push_str(",p2p=on");
    } else if let Some(address) = address {
        let _ = write!(text, ",addr={}", escape(address));
    }
    if let Some(gl) = gl {
        let _ = write!(text, ",gl={}", if gl.enable.is_on() { "on" } else { "off" });
        if gl.enable.is_on() || gl.rendernode.is_some() {
            let _ = write!(text, ",rendernode={}", escape(&render_node(gl.rendernode.as_deref())?));
        }
    }
    if let Some(id) = audio {
        let _ = write!(text, ",audiodev=audio{id}");
    }
    Ok(text)
}
