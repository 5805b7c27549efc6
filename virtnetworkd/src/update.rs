//! `virNetworkUpdate` as a function: a network and a part go in, the changed network comes out. It refuses to know whether the
//! network runs; who does, decides what has to be told to whom afterwards.

use virtbus_api::{
    error::{Error, ErrorCode, ErrorDomain, Result},
    network::UpdateCommand,
};
use virtbus_schema::{FormatOptions, Network, NetworkSection, SectionKind, network::Part};

mod dhcp;
mod dns;
mod pool;

/// The network with a part changed, checked again as a whole.
///
/// # Errors
/// `OPERATION_UNSUPPORTED`: this part cannot be changed so; `OPERATION_INVALID`: what is to be changed is not there, or what is
/// to be added is; the document's own codes for a part that is wrong in itself, or makes the network so.
pub fn apply(
    network: &Network,
    command: UpdateCommand,
    section: &NetworkSection,
    parent: Option<u32>,
) -> Result<Network> {
    use SectionKind::{DnsHost, DnsSrv, DnsTxt, ForwardInterface, IpDhcpRange};
    let only_listed = matches!(section.kind, IpDhcpRange | ForwardInterface | DnsSrv);
    if command == UpdateCommand::Modify && only_listed {
        return Err(unsupported(format!("{}: it cannot be modified, only added or deleted", spoken(section.kind))));
    }
    // A text without its value is found wanting below, as a record is that is not there.
    let is_found_first = command == UpdateCommand::Modify && matches!(section.kind, DnsHost | DnsTxt);
    let whole = command != UpdateCommand::Delete && !is_found_first;
    let part = Part::parse(section, whole).map_err(|fault| document(&fault))?;
    let part = part.ok_or_else(|| unsupported(format!("{} of network {}", spoken(section.kind), network.name)))?;
    let mut changed = network.clone();
    match part {
        Part::DhcpHost(host) => dhcp::host(&mut changed, command, host, parent),
        Part::DhcpRange(range) => dhcp::range(&mut changed, command, range, parent),
        Part::ForwardInterface(interface) => pool::interface(&mut changed, command, interface),
        Part::Portgroup(group) => pool::portgroup(&mut changed, command, *group),
        Part::DnsHost(host) => dns::host(&mut changed, command, host),
        Part::DnsTxt(txt) => dns::txt(&mut changed, command, txt),
        Part::DnsSrv(srv) => dns::srv(&mut changed, command, srv),
    }?;
    // The rules of a whole document are in its reader.
    Network::parse(&changed.format(FormatOptions { secure: true, ..FormatOptions::default() }))
        .map_err(|fault| document(&fault))
}

fn spoken(kind: SectionKind) -> String {
    format!("cannot update section '{}'", kind.as_str().replace('-', " "))
}

pub(crate) fn document(fault: &virtbus_schema::Error) -> Error {
    Error::from(fault).in_domain(ErrorDomain::Network)
}

fn unsupported(detail: String) -> Error {
    Error::new(ErrorCode::OperationUnsupported, detail).in_domain(ErrorDomain::Network)
}

fn invalid(detail: String) -> Error {
    Error::invalid_operation(detail).in_domain(ErrorDomain::Network)
}

/// What to do with a list, where to find things in it and how to name them.
struct Entry<'a> {
    /// As in "dhcp range".
    what: &'a str,
    network: &'a str,
    /// The element itself, for messages.
    shown: String,
    /// Whether the reference can replace one; else it is deleted and added again.
    can_modify: bool,
}

impl Entry<'_> {
    /// Changes a list: `same` is what is meant by modify and delete, `clash` what may not be there for add.
    fn change<T>(
        &self,
        list: &mut Vec<T>,
        command: UpdateCommand,
        entry: T,
        same: impl Fn(&T) -> bool,
        clash: impl Fn(&T) -> bool,
    ) -> Result<()> {
        let Self { what, network, shown, .. } = self;
        let mut found = list.iter().enumerate().filter(|(_, it)| same(it)).map(|(at, _)| at);
        let (first, second) = (found.next(), found.next());
        let missing = || invalid(format!("no {what} {shown} in network {network}"));
        match command {
            UpdateCommand::Modify if !self.can_modify => {
                return Err(unsupported(format!("a {what} cannot be modified, only added or deleted")));
            }
            UpdateCommand::Modify => {
                let at = first.and_then(|at| list.get_mut(at)).ok_or_else(missing)?;
                *at = entry;
            }
            UpdateCommand::Delete => {
                let at = first.ok_or_else(missing)?;
                if second.is_some() {
                    return Err(invalid(format!("more than one {what} {shown} in network {network}")));
                }
                list.remove(at);
            }
            UpdateCommand::AddFirst | UpdateCommand::AddLast => {
                if list.iter().any(clash) {
                    return Err(invalid(format!("there is a {what} like {shown} in network {network}")));
                }
                let at = if command == UpdateCommand::AddFirst { 0 } else { list.len() };
                list.insert(at, entry);
            }
        }
        Ok(())
    }
}

/// Whether what was asked for, if anything was, is what is there.
fn wanted<T: PartialEq>(wanted: &Option<T>, there: &Option<T>) -> bool {
    wanted.is_none() || wanted == there
}

/// Whether both are there and the same.
fn both<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    a.is_some() && a == b
}
