//! `<dns>`: what a network's DNS server knows by itself and whom it asks.

use std::net::IpAddr;

use virtbus_xml::{Error, ErrorKind, Node, Xml, YesNo};

use super::forms;

/// `<dns enable='yes' forwardPlainNames='no'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Dns::check)]
pub struct Dns {
    /// `no`: there is no DNS server; absent is `yes`.
    #[xml(attr)]
    pub enable: Option<YesNo>,
    /// Whether names without a dot are asked of the host's servers.
    #[xml(attr = "forwardPlainNames")]
    pub forward_plain_names: Option<YesNo>,
    #[xml(children = "forwarder")]
    pub forwarders: Vec<DnsForwarder>,
    #[xml(children = "txt")]
    pub txts: Vec<DnsTxt>,
    #[xml(children = "srv")]
    pub srvs: Vec<DnsSrv>,
    #[xml(children = "host")]
    pub hosts: Vec<DnsHost>,
}

/// `<forwarder domain='example.com' addr='8.8.8.8'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = DnsForwarder::check)]
pub struct DnsForwarder {
    #[xml(attr, form = crate::forms::dns_name)]
    pub domain: Option<String>,
    #[xml(attr, form = forms::address)]
    pub addr: Option<IpAddr>,
}

/// `<txt name='example' value='example value'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = DnsTxt::check_whole)]
pub struct DnsTxt {
    #[xml(attr, form = crate::forms::dns_name)]
    pub name: String,
    /// Absent only where a record is named to be deleted.
    #[xml(attr, must)]
    pub value: Option<String>,
}

/// `<srv service='ldap' protocol='tcp' domain='d' target='t' port='389' priority='1' weight='2'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = DnsSrv::check, check = DnsSrv::complete)]
pub struct DnsSrv {
    /// These two are absent only where a record is named to be deleted.
    #[xml(attr, must)]
    pub service: Option<String>,
    #[xml(attr, must, form = forms::protocol)]
    pub protocol: Option<String>,
    #[xml(attr, form = crate::forms::dns_name)]
    pub domain: Option<String>,
    #[xml(attr)]
    pub target: Option<String>,
    #[xml(attr, blank)]
    pub port: Option<u16>,
    #[xml(attr, blank)]
    pub priority: Option<u16>,
    #[xml(attr, blank)]
    pub weight: Option<u16>,
}

/// `<host ip='192.168.122.2'><hostname>a</hostname></host>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(before = DnsHost::check)]
pub struct DnsHost {
    /// Absent only where a record is named to be deleted.
    #[xml(attr, fault = Conflict, must, form = forms::address)]
    pub ip: Option<IpAddr>,
    #[xml(children = "hostname", must, form = crate::forms::dns_name)]
    pub hostnames: Vec<String>,
}

type Checked = Result<(), Error>;

impl Dns {
    /// Whether a DNS server runs.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enable != Some(YesNo::No)
    }

    /// Whether it says more than its switches do.
    #[must_use]
    pub fn has_records(&self) -> bool {
        !(self.forwarders.is_empty() && self.txts.is_empty() && self.srvs.is_empty() && self.hosts.is_empty())
    }

    fn check(&mut self, node: Node<'_>) -> Checked {
        if !self.is_enabled() && self.has_records() {
            return Err(node.error(ErrorKind::BadValue, "records for a DNS server that is disabled"));
        }
        for (host, at) in self.hosts.iter().zip(node.children("host")) {
            host.check_whole(at)?;
        }
        for (txt, at) in self.txts.iter().zip(node.children("txt")) {
            txt.check_value(at)?;
        }
        for (srv, at) in self.srvs.iter().zip(node.children("srv")) {
            srv.check_whole(at)?;
        }
        Ok(())
    }
}

fn fault(node: Node<'_>, message: impl Into<String>) -> Error {
    node.error(ErrorKind::Conflict, message)
}

impl DnsForwarder {
    fn check(&mut self, node: Node<'_>) -> Checked {
        match (&self.domain, self.addr) {
            (None, None) => Err(node.error(ErrorKind::BadValue, "needs addr or domain")),
            _ => Ok(()),
        }
    }
}

impl DnsTxt {
    fn check_whole(node: Node<'_>) -> Checked {
        match node.attr("name") {
            None => Err(fault(node, "needs a name")),
            Some(name) if name.value().contains([' ', ',']) => Err(fault(node, "blank or comma in the name")),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn check_value(&self, node: Node<'_>) -> Checked {
        if self.value.is_some() { Ok(()) } else { Err(fault(node, format!("record {} needs a value", self.name))) }
    }
}

impl DnsSrv {
    fn check(node: Node<'_>) -> Checked {
        for name in ["port", "priority", "weight"] {
            let Some(attr) = node.attr(name) else { continue };
            let number = attr.value().parse::<u16>().ok().filter(|it| name != "port" || *it > 0);
            if number.is_none() {
                return Err(attr.error(ErrorKind::Conflict, format!("{} is out of range", attr.value())));
            }
            if node.attr("target").is_none() {
                return Err(attr.error(ErrorKind::Conflict, "not without a target"));
            }
        }
        Ok(())
    }

    /// Zero is not written.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn complete(&mut self, _: Node<'_>) -> Checked {
        self.priority = self.priority.filter(|it| *it > 0);
        self.weight = self.weight.filter(|it| *it > 0);
        Ok(())
    }

    pub(super) fn check_whole(&self, node: Node<'_>) -> Checked {
        let missing = match (&self.service, &self.protocol) {
            (None, _) => "service",
            (_, None) => "protocol",
            _ => return Ok(()),
        };
        Err(fault(node, format!("needs a {missing}")))
    }
}

impl DnsHost {
    fn check(node: Node<'_>) -> Checked {
        if node.children("hostname").any(|it| it.text().is_empty()) {
            return Err(fault(node, "empty hostname"));
        }
        if node.attr("ip").is_none() && node.child("hostname").is_none() {
            return Err(fault(node, "needs an ip or a hostname"));
        }
        Ok(())
    }

    pub(super) fn check_whole(&self, node: Node<'_>) -> Checked {
        if self.ip.is_none() {
            return Err(fault(node, "needs an ip"));
        }
        if self.hostnames.is_empty() {
            return Err(fault(node, "needs a hostname"));
        }
        Ok(())
    }
}
