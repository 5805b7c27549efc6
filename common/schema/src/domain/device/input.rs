//! `<input>`: keyboards, mice, tablets, and devices of the host passed on.

use virtbus_xml::{OnOff, Xml, XmlEnum};

use super::{Info, VirtioOptions};

/// `<input type='tablet' bus='usb'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct Input {
    #[xml(attr = "type", fault = Unsupported)]
    pub kind: InputKind,
    /// Absent until the default for the kind is filled in.
    #[xml(attr)]
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
    #[xml(attr)]
    pub dev: Option<String>,
    #[xml(attr)]
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
