//! The parts of a network that can be changed one by one (`virNetworkUpdate`): the text of one, read into its type.

use virtbus_xml::{Document, Error, Xml};

use super::{DhcpHost, DhcpRange, DnsHost, DnsSrv, DnsTxt, ForwardInterface, Portgroup};
use crate::network_section::{NetworkSection, SectionKind};

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    DhcpHost(DhcpHost),
    DhcpRange(DhcpRange),
    ForwardInterface(ForwardInterface),
    Portgroup(Box<Portgroup>),
    DnsHost(DnsHost),
    DnsTxt(DnsTxt),
    DnsSrv(DnsSrv),
}

impl Part {
    /// Reads a part; `whole` unless it only names what is to be deleted. `None`: the section cannot be changed by itself.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(section: &NetworkSection, whole: bool) -> Result<Option<Self>, Error> {
        let text = section.text.as_str();
        let part = match section.kind {
            SectionKind::IpDhcpHost => Self::DhcpHost(virtbus_xml::from_str(text, "host")?),
            SectionKind::IpDhcpRange => Self::DhcpRange(virtbus_xml::from_str(text, "range")?),
            SectionKind::ForwardInterface => Self::ForwardInterface(virtbus_xml::from_str(text, "interface")?),
            SectionKind::Portgroup => Self::Portgroup(virtbus_xml::from_str(text, "portgroup").map(Box::new)?),
            SectionKind::DnsHost => Self::DnsHost(checked(text, "host", whole, DnsHost::check_whole)?),
            SectionKind::DnsTxt => Self::DnsTxt(checked(text, "txt", whole, DnsTxt::check_value)?),
            SectionKind::DnsSrv => Self::DnsSrv(checked(text, "srv", whole, DnsSrv::check_whole)?),
            SectionKind::Bridge
            | SectionKind::Domain
            | SectionKind::Ip
            | SectionKind::Forward
            | SectionKind::ForwardPf => return Ok(None),
        };
        Ok(Some(part))
    }
}

fn checked<T: Xml>(
    text: &str,
    root: &str,
    whole: bool,
    check: fn(&T, virtbus_xml::Node<'_>) -> Result<(), Error>,
) -> Result<T, Error> {
    let document = Document::parse(text)?;
    let node = document.root_named(root)?;
    let read = T::read(node)?;
    if whole {
        check(&read, node)?;
    }
    Ok(read)
}
