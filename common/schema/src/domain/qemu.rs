//! The `qemu:` namespace: arguments, capabilities and device properties handed through to QEMU.

use virtbus_xml::{Error, ErrorKind, Node, Value as _, Xml, XmlEnum};

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
    #[xml(attr = "qemu:deprecation/@behavior", form = crate::forms::deprecation)]
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
#[xml(before = QemuArg::check)]
pub struct QemuArg {
    #[xml(attr)]
    pub value: String,
}

impl QemuArg {
    fn check(node: Node<'_>) -> Result<(), Error> {
        match node.attr("value") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::Internal, "the argument has no value")),
        }
    }
}

/// `<qemu:env name='X' value='y'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = QemuEnv::check)]
pub struct QemuEnv {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub value: Option<String>,
}

impl QemuEnv {
    fn check(node: Node<'_>) -> Result<(), Error> {
        let name = node.attr("name").map(|it| it.value()).unwrap_or_default();
        let starts = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        if starts && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') {
            return Ok(());
        }
        Err(node.error(ErrorKind::Internal, format!("'{name}' is not the name of a variable")))
    }
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
#[xml(check = QemuProperty::check)]
pub struct QemuProperty {
    #[xml(attr)]
    pub name: String,
    #[xml(attr = "type")]
    pub kind: QemuPropertyKind,
    #[xml(attr)]
    pub value: Option<String>,
}

impl QemuProperty {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let value = self.value.as_deref();
        let fits = match self.kind {
            QemuPropertyKind::Remove => return Ok(()),
            QemuPropertyKind::String => value.is_some(),
            QemuPropertyKind::Unsigned => value.is_some_and(|it| u64::from_text(it).is_ok()),
            QemuPropertyKind::Signed => value.is_some_and(|it| i64::from_text(it).is_ok()),
            QemuPropertyKind::Bool => value.is_some_and(|it| matches!(it, "true" | "false")),
        };
        if fits {
            return Ok(());
        }
        Err(node.error(ErrorKind::BadValue, format!("the value of '{}' is not of type {}", self.name, self.kind)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum QemuPropertyKind {
    String,
    Unsigned,
    Signed,
    Bool,
    Remove,
}
