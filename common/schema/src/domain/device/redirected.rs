//! Devices that a remote viewer brings: redirected USB, its filter, smart cards.

use std::fmt::Write as _;

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

use super::{
    address::{Info, RomInfo},
    chardev::Chardev,
};

/// `<redirdev bus='usb' type='spicevmc'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(before = Redirdev::check_type, check = Redirdev::check)]
pub struct Redirdev {
    #[xml(attr, default = RedirectedBus::Usb, must, fault = Unsupported)]
    pub bus: RedirectedBus,
    #[xml(flatten)]
    pub chardev: Chardev,
    #[xml(flatten)]
    pub info: RomInfo,
}

impl Redirdev {
    fn check_type(node: Node<'_>) -> Result<(), Error> {
        match node.attr("type") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::Internal, "the redirected device has no type")),
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        if let Chardev::Dbus { channel, .. } = &mut self.chardev {
            channel.get_or_insert_with(|| "org.qemu.usbredir".to_owned());
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum RedirectedBus {
    Usb,
}

/// `<redirfilter>`: which devices a viewer may redirect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct RedirFilter {
    #[xml(children = "usbdev")]
    pub usbdevs: Vec<RedirRule>,
}

/// `<usbdev class='0x08' vendor='0x1234' product='0xbeef' version='2.00' allow='yes'/>`; -1 means any.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = RedirRule::check)]
pub struct RedirRule {
    #[xml(attr)]
    pub class: Option<RuleNumber<2>>,
    #[xml(attr)]
    pub vendor: Option<RuleNumber<4>>,
    #[xml(attr)]
    pub product: Option<RuleNumber<4>>,
    #[xml(attr)]
    pub version: Option<String>,
    #[xml(attr)]
    pub allow: YesNo,
}

impl RedirRule {
    /// Any is said by saying nothing; versions have two digits behind the point.
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.class = self.class.filter(|it| it.0.is_some());
        self.vendor = self.vendor.filter(|it| it.0.is_some());
        self.product = self.product.filter(|it| it.0.is_some());
        self.version = self.version.take().filter(|it| it != "-1").map(|it| match it.split_once('.') {
            Some((major, minor)) => format!("{major}.{minor:0<2}"),
            None => it,
        });
        Ok(())
    }
}

/// A number in hexadecimal, or -1 for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleNumber<const W: usize>(pub Option<u64>);

impl<const W: usize> virtbus_xml::Value for RuleNumber<W> {
    fn from_text(text: &str) -> Result<Self, virtbus_xml::Fault> {
        match text {
            "-1" => Ok(Self(None)),
            _ => virtbus_xml::Hex::<W>::from_text(text).map(|it| Self(Some(it.0))),
        }
    }

    fn put(&self, out: &mut virtbus_xml::Escaped<'_>) {
        match self.0 {
            None => out.push("-1"),
            Some(number) => {
                let _ = write!(out, "0x{number:0W$X}");
            }
        }
    }
}

/// `<smartcard mode='host'>`.
#[derive(Debug, Clone, PartialEq, Xml)]
pub struct Smartcard {
    #[xml(flatten)]
    pub card: SmartcardKind,
    #[xml(flatten)]
    pub info: Info,
}

/// What is behind the reader.
#[derive(Debug, Clone, PartialEq, Xml)]
#[xml(tag = "mode", check = SmartcardKind::check)]
pub enum SmartcardKind {
    Host,
    HostCertificates(Certificates),
    Passthrough(Chardev),
}

impl SmartcardKind {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        match self {
            Self::Passthrough(_) if node.attr("type").is_none() => {
                Err(node.error(ErrorKind::BadValue, "mode passthrough needs the type of a character device"))
            }
            _ => Ok(()),
        }
    }
}

/// Three certificates of a database.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = Certificates::check, form = Certificates::form)]
pub struct Certificates {
    #[xml(children = "certificate")]
    pub certificates: Vec<String>,
    #[xml(child, form = crate::forms::absolute_path)]
    pub database: Option<String>,
}

impl Certificates {
    fn form(node: Node<'_>) -> Result<(), Error> {
        if node.children("certificate").count() == 3 {
            return Ok(());
        }
        Err(node.error(ErrorKind::Unknown, "mode host-certificates needs exactly three certificates"))
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.certificates.len() == 3 {
            return Ok(());
        }
        Err(node.error(ErrorKind::BadValue, "mode host-certificates needs exactly three certificates"))
    }
}
