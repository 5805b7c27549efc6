//! `<input>`: keyboards, mice, tablets, and devices of the host passed on.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, Xml, XmlEnum};

use super::{Info, VirtioOptions};

/// `<input type='tablet' bus='usb'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = Input::check_type, form = Input::form)]
pub struct Input {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: InputKind,
    /// Absent until the default for the kind is filled in.
    #[xml(attr, fault = Unsupported)]
    pub bus: Option<InputBus>,
    #[xml(attr)]
    pub model: Option<InputModel>,
    #[xml(child, omit_empty)]
    pub driver: Option<VirtioOptions>,
    #[xml(child)]
    pub source: Option<InputSource>,
    #[xml(flatten)]
    pub info: Info,
}

impl Input {
    fn check_type(node: Node<'_>) -> Result<(), Error> {
        match node.attr("type") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::Internal, "the input device has no type")),
        }
    }

    /// Which buses and sources each kind has.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let value = |name: &str| node.attr(name).map(|it| it.value());
        let kind = value("type").unwrap_or_default();
        let (buses, needed): (&[&str], Option<&str>) = match kind {
            "passthrough" => (&["virtio"], Some("evdev")),
            "evdev" => (&[], Some("dev")),
            _ => (&["ps2", "usb", "xen", "virtio"], None),
        };
        if let Some(bus) = value("bus").filter(|it| !buses.contains(it)) {
            return Err(node.error(ErrorKind::Unknown, format!("an input device of type {kind} is not on bus {bus}")));
        }
        if kind == "passthrough" && value("bus").is_none() {
            return Err(node.missing("@bus"));
        }
        match (node.child("source"), needed) {
            (Some(source), None) => Err(source.error(ErrorKind::Unknown, "only what is passed on has a source")),
            (None, Some(_)) => Err(node.missing("source")),
            (Some(source), Some(needed)) => {
                let strays: &[&str] =
                    if needed == "dev" { &["evdev"] } else { &["dev", "grab", "grabToggle", "repeat"] };
                if let Some(stray) = strays.iter().find(|it| source.attr(it).is_some()) {
                    return Err(source.error(ErrorKind::Unknown, format!("{stray} does not belong to type {kind}")));
                }
                source.attr(needed).map_or_else(|| Err(source.missing(&format!("@{needed}"))), |_| Ok(()))
            }
            (None, None) => Ok(()),
        }
    }

    /// A device of a kind on a bus, as the daemon adds it.
    #[must_use]
    pub fn new(kind: InputKind, bus: InputBus) -> Self {
        Self { kind, bus: Some(bus), model: None, driver: None, source: None, info: Info::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InputKind {
    Mouse,
    Tablet,
    Keyboard,
    Passthrough,
    Evdev,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InputBus {
    Ps2,
    Usb,
    Xen,
    Parallels,
    Virtio,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InputModel {
    Virtio,
    VirtioTransitional,
    VirtioNonTransitional,
}

/// `<source evdev='/dev/input/event1'/>`, or with `dev` for `type='evdev'`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct InputSource {
    #[xml(attr, form = crate::forms::absolute_path)]
    pub dev: Option<String>,
    #[xml(attr, form = crate::forms::absolute_path)]
    pub evdev: Option<String>,
    #[xml(attr)]
    pub grab: Option<InputGrab>,
    #[xml(attr = "grabToggle")]
    pub grab_toggle: Option<InputGrabToggle>,
    #[xml(attr)]
    pub repeat: Option<OnOff>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InputGrab {
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum InputGrabToggle {
    CtrlCtrl,
    AltAlt,
    ShiftShift,
    MetaMeta,
    Scrolllock,
    CtrlScrolllock,
}
