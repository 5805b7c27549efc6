//! The `qemu:` namespace: arguments, capabilities and device properties handed through to QEMU.

use virtbus_xml::{Xml, XmlEnum};

/// Everything a domain has in the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(xmlns = "qemu")]
pub struct QemuNamespace {
    #[xml(child = "qemu:commandline")]
    pub commandline: Option<QemuCommandline>,
    #[xml(child = "qemu:capabilities")]
    pub capabilities: Option<QemuCapabilities>,
    #[xml(child = "qemu:override")]
    pub overrides: Option<QemuOverride>,
    #[xml(attr = "qemu:deprecation/@behavior")]
    pub deprecation: Option<String>,
}

/// `<qemu:commandline>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct QemuCommandline {
    #[xml(children = "qemu:arg")]
    pub args: Vec<QemuArg>,
    #[xml(children = "qemu:env")]
    pub env: Vec<QemuEnv>,
}

/// `<qemu:arg value='-foo'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct QemuArg {
    #[xml(attr)]
    pub value: String,
}

/// `<qemu:env name='X' value='y'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct QemuEnv {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub value: Option<String>,
}

/// `<qemu:capabilities>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct QemuCapabilities {
    #[xml(children = "qemu:add")]
    pub add: Vec<QemuCapability>,
    #[xml(children = "qemu:del")]
    pub del: Vec<QemuCapability>,
}

/// `<qemu:add capability='blockdev'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct QemuCapability {
    #[xml(attr)]
    pub capability: String,
}

/// `<qemu:override>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct QemuOverride {
    #[xml(children = "qemu:device")]
    pub devices: Vec<QemuDeviceOverride>,
}

/// `<qemu:device alias='ua-disk'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct QemuDeviceOverride {
    #[xml(attr)]
    pub alias: String,
    #[xml(child = "qemu:frontend")]
    pub frontend: QemuFrontend,
}

/// `<qemu:frontend>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct QemuFrontend {
    #[xml(children = "qemu:property")]
    pub properties: Vec<QemuProperty>,
}

/// `<qemu:property name='x' type='string' value='y'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct QemuProperty {
    #[xml(attr)]
    pub name: String,
    #[xml(attr = "type")]
    pub kind: QemuPropertyKind,
    #[xml(attr)]
    pub value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum QemuPropertyKind {
    String,
    Unsigned,
    Signed,
    Bool,
    Remove,
}
