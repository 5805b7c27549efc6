//! `<forward>`: how packets leave a network, and through which devices.

use std::net::Ipv4Addr;

use virtbus_xml::{Error, ErrorKind, FormatOptions, Node, Writer, Xml, YesNo};

use super::{ForwardMode, HostdevDriver, forms};
use crate::domain::device::address::PciAddress;

/// `<forward dev='eth0' mode='nat'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Forward::check)]
pub struct Forward {
    /// The first of the interfaces; see [`Forward::name_device`].
    #[xml(attr, form = forms::interface)]
    pub dev: Option<String>,
    #[xml(attr, default, blank, fault = Unsupported, form = forms::forward_mode)]
    pub mode: ForwardMode,
    /// Whether host devices are bound to their driver for guests; of `mode='hostdev'` always present.
    #[xml(attr, lenient)]
    pub managed: Option<YesNo>,
    #[xml(child, omit_empty)]
    pub driver: Option<HostdevDriver>,
    #[xml(child, omit_empty)]
    pub nat: Option<Nat>,
    /// The device whose virtual functions are the pool.
    #[xml(child)]
    pub pf: Option<ForwardPf>,
    #[xml(children = "interface")]
    pub interfaces: Vec<ForwardInterface>,
    #[xml(children = "address")]
    pub addresses: Vec<ForwardAddress>,
}

/// `<nat ipv6='yes'>`: which addresses and ports packets leave with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
#[xml(before = Nat::check, form = forms::nat)]
pub struct Nat {
    #[xml(attr)]
    pub ipv6: Option<YesNo>,
    #[xml(child)]
    pub address: Option<NatAddress>,
    #[xml(child)]
    pub port: Option<NatPort>,
}

/// `<address start='1.2.3.4' end='1.2.3.10'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(check = NatAddress::check)]
pub struct NatAddress {
    #[xml(attr, form = forms::address4)]
    pub start: Ipv4Addr,
    #[xml(attr, form = forms::address4)]
    pub end: Ipv4Addr,
}

/// `<port start='1024' end='65535'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatPort {
    pub start: u16,
    pub end: u16,
}

/// `<pf dev='eth3'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct ForwardPf {
    #[xml(attr, form = forms::interface)]
    pub dev: String,
    #[xml(attr, live, lenient, when = is_counted)]
    pub connections: Option<u32>,
}

/// `<interface dev='eth0'/>`, one of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct ForwardInterface {
    #[xml(attr, form = forms::interface)]
    pub dev: String,
    /// How many guests use it, of an active network.
    #[xml(attr, live, lenient, when = is_counted)]
    pub connections: Option<u32>,
}

/// `<address type='pci' .../>`: a virtual function, one of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
pub struct ForwardAddress {
    #[xml(flatten)]
    pub device: ForwardDevice,
    /// How many guests use it, of an active network.
    #[xml(attr, live, lenient, when = is_counted)]
    pub connections: Option<u32>,
}

/// Which host device is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Xml)]
#[xml(tag = "type", fault = Unsupported)]
pub enum ForwardDevice {
    Pci(PciAddress),
}

/// The reference writes a number of users only where there are any.
pub(super) fn is_counted(users: &Option<u32>, _: &FormatOptions) -> bool {
    users.is_some_and(|it| it > 0)
}

impl Forward {
    /// Repeats the first interface as the element's `dev`, as it is written where no `<pf>` is.
    pub fn name_device(&mut self) {
        self.dev = match (&self.pf, self.interfaces.first()) {
            (None, Some(first)) => Some(first.dev.clone()),
            _ => None,
        };
    }

    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let twice = |name: &str| node.children(name).nth(1).is_some();
        for name in ["nat", "pf"] {
            if twice(name) {
                return Err(node.error(ErrorKind::BadValue, format!("more than one <{name}>")));
            }
        }
        if self.nat.is_some() && self.mode != ForwardMode::Nat {
            return Err(node.error(ErrorKind::BadValue, "<nat> is for mode='nat' only"));
        }
        self.nat = self.nat.filter(|it| *it != Nat::default());
        self.check_devices(node)?;
        if self.mode == ForwardMode::Hostdev {
            self.managed.get_or_insert(YesNo::No);
        } else {
            self.managed = None;
        }
        self.name_device();
        Ok(())
    }

    fn check_devices(&mut self, node: Node<'_>) -> Result<(), Error> {
        let bad = |kind, message: String| Err(node.error(kind, message));
        let dev = self.dev.take().filter(|it| !it.is_empty());
        match (&dev, self.interfaces.first()) {
            (Some(dev), Some(first)) if *dev != first.dev => {
                let message = format!("dev='{dev}' is not the first interface, which is {}", first.dev);
                return bad(ErrorKind::BadValue, message);
            }
            (Some(dev), None) => self.interfaces.push(ForwardInterface { dev: dev.clone(), connections: None }),
            _ => {}
        }
        if !self.interfaces.is_empty() {
            // A pool that is listed is not asked of the device.
            self.pf = None;
        }
        for (at, interface) in self.interfaces.iter().enumerate() {
            if self.interfaces.iter().take(at).any(|it| it.dev == interface.dev) {
                return bad(ErrorKind::BadValue, format!("interface {} is listed twice", interface.dev));
            }
        }
        let device = |it: &ForwardAddress| {
            let ForwardDevice::Pci(device) = it.device;
            device
        };
        for (at, address) in self.addresses.iter().enumerate() {
            if self.addresses.iter().take(at).any(|it| device(it) == device(address)) {
                return bad(ErrorKind::BadValue, format!("PCI device number {} is listed before", at + 1));
            }
        }
        match (self.mode, self.interfaces.first()) {
            (ForwardMode::Hostdev, Some(interface)) => {
                let message = format!("{} is a name, but mode='hostdev' takes PCI addresses", interface.dev);
                bad(ErrorKind::Unsupported, message)
            }
            (mode, _) if mode != ForwardMode::Hostdev && !self.addresses.is_empty() => {
                bad(ErrorKind::Unsupported, format!("a PCI address, but mode='{mode}' takes interfaces by name"))
            }
            _ => Ok(()),
        }
    }
}

impl Nat {
    fn check(node: Node<'_>) -> Result<(), Error> {
        for name in ["address", "port"] {
            if node.children(name).nth(1).is_some() {
                return Err(node.error(ErrorKind::BadValue, format!("more than one <{name}>")));
            }
        }
        Ok(())
    }
}

impl NatAddress {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        if self.start > self.end {
            return Err(node.error(ErrorKind::Internal, format!("range {} - {} is reversed", self.start, self.end)));
        }
        Ok(())
    }
}

/// Written by hand, for every fault in it is reported under the one code 35.
impl Xml for NatPort {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let port = |name| {
            let port = node.attr(name).and_then(|it| it.value().parse::<u16>().ok());
            port.ok_or_else(|| node.error(ErrorKind::Conflict, format!("{name} is not a port number")))
        };
        let (start, end) = (port("start")?, port("end")?);
        if end < start {
            return Err(node.error(ErrorKind::Conflict, format!("ports {start} to {end} are reversed")));
        }
        Ok(Self { start, end })
    }

    fn examine(node: Node<'_>) -> Result<(), Error> {
        virtbus_xml::form::attr::<u16>(node, &[], "start", true, true, None)?;
        virtbus_xml::form::attr::<u16>(node, &[], "end", true, true, None)
    }

    fn write_attrs(&self, w: &mut Writer) {
        w.attr("start", &self.start);
        w.attr("end", &self.end);
    }

    fn write_content(&self, _: &mut Writer) {}

    fn describe(to: &mut dyn virtbus_xml::Describe) {
        to.attr("start", virtbus_xml::Texts::of::<u16>());
        to.attr("end", virtbus_xml::Texts::of::<u16>());
    }
}
