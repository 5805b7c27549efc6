//! What both fronts do with XML text: read it into documents, write documents, and give faults libvirt's codes.
//!
//! Which elements there are is the schema's knowledge; no engine sees text.

use virtbus_schema::{
    CpuDocument, Domain, FormatOptions, KnownCpu, Network, NetworkPort, Secret, StoragePool, StorageVolume,
    domain::Cpu, storage_pool::PoolKind, storage_pool::PoolSource, xml,
};

use crate::{
    error::{Error, ErrorCode, ErrorDomain, Result},
    flags::{NetworkXmlFlags, PoolXmlFlags, XmlFlags},
};

/// Reads a domain; `strict` refuses what the schema does not know (code `XML_INVALID_SCHEMA`).
pub fn parse_domain(text: &str, strict: bool) -> Result<Box<Domain>> {
    let read = if strict { Domain::parse_strict(text) } else { Domain::parse(text) };
    read.map(Box::new).map_err(|fault| Error::from(&fault))
}

/// Writes a domain in the form that is asked for.
pub fn format_domain(domain: &Domain, flags: XmlFlags) -> String {
    domain.format(FormatOptions {
        secure: flags.contains(XmlFlags::SECURE),
        // What another host is to define has nothing of this run in it (observed).
        inactive: flags.intersects(XmlFlags::INACTIVE | XmlFlags::MIGRATABLE),
        migratable: flags.contains(XmlFlags::MIGRATABLE),
        ..FormatOptions::default()
    })
}

/// Reads a network.
pub fn parse_network(text: &str, strict: bool) -> Result<Box<Network>> {
    let read = if strict { Network::parse_strict(text) } else { Network::parse(text) };
    read.map(Box::new).map_err(|it| fault(&it, ErrorDomain::Network))
}

/// Writes a network in the form that is asked for.
pub fn format_network(network: &Network, flags: NetworkXmlFlags) -> String {
    let inactive = flags.contains(NetworkXmlFlags::INACTIVE);
    network.format(FormatOptions { inactive, ..FormatOptions::default() })
}

/// Reads a port of a network.
pub fn parse_network_port(text: &str, strict: bool) -> Result<Box<NetworkPort>> {
    let read = if strict { NetworkPort::parse_strict(text) } else { NetworkPort::parse(text) };
    read.map(Box::new).map_err(|it| fault(&it, ErrorDomain::Network))
}

/// Writes a port of a network.
pub fn format_network_port(port: &NetworkPort) -> String {
    port.format(FormatOptions::default())
}

/// Reads a pool.
pub fn parse_pool(text: &str, strict: bool) -> Result<Box<StoragePool>> {
    let read = if strict { StoragePool::parse_strict(text) } else { StoragePool::parse(text) };
    read.map(Box::new).map_err(|it| fault(&it, ErrorDomain::Storage))
}

/// Writes a pool in the form that is asked for.
pub fn format_pool(pool: &StoragePool, flags: PoolXmlFlags) -> String {
    let inactive = flags.contains(PoolXmlFlags::INACTIVE);
    pool.format(FormatOptions { inactive, ..FormatOptions::default() })
}

/// Reads a `<source>` by itself: what narrows a search for sources.
pub fn parse_pool_source(text: &str, kind: PoolKind) -> Result<PoolSource> {
    PoolSource::parse(text, kind).map_err(|it| fault(&it, ErrorDomain::Storage))
}

/// Reads a volume.
pub fn parse_volume(text: &str, strict: bool) -> Result<Box<StorageVolume>> {
    let read = if strict { StorageVolume::parse_strict(text) } else { StorageVolume::parse(text) };
    read.map(Box::new).map_err(|it| fault(&it, ErrorDomain::Storage))
}

/// Writes a volume.
pub fn format_volume(volume: &StorageVolume) -> String {
    volume.format(FormatOptions::default())
}

/// Reads a secret; no value is in it.
pub fn parse_secret(text: &str, strict: bool) -> Result<Box<Secret>> {
    let read = if strict { Secret::parse_strict(text) } else { Secret::parse(text) };
    read.map(Box::new).map_err(|it| fault(&it, ErrorDomain::Secret))
}

/// Writes a secret; no value is in it.
pub fn format_secret(secret: &Secret) -> String {
    secret.format(FormatOptions::default())
}

/// Reads a CPU to compare with; `strict` refuses what the schema does not know.
pub fn parse_cpu(text: &str, strict: bool) -> Result<CpuDocument> {
    let read = if strict { CpuDocument::parse_strict(text) } else { CpuDocument::parse(text) };
    read.map_err(|it| fault(&it, ErrorDomain::Cpu).in_domain(ErrorDomain::Cpu))
}

/// Reads a CPU that says what it is.
pub fn parse_known_cpu(text: &str) -> Result<KnownCpu> {
    KnownCpu::parse(text).map_err(|it| fault(&it, ErrorDomain::Cpu).in_domain(ErrorDomain::Cpu))
}

/// Writes a CPU by itself.
pub fn format_cpu(cpu: &Cpu) -> String {
    xml::to_string(cpu, CpuDocument::ROOT, FormatOptions::default())
}

impl From<&xml::Error> for Error {
    /// For documents of domains; [`fault`] knows the other kinds.
    fn from(it: &xml::Error) -> Self {
        fault(it, ErrorDomain::Domain)
    }
}

/// What is wrong with a document that belongs to `domain`, with libvirt's code for it.
pub fn fault(fault: &xml::Error, domain: ErrorDomain) -> Error {
    let code = ErrorCode::from_number(fault.kind.code()).unwrap_or(ErrorCode::XmlError);
    // The reference's XML layer speaks for itself where the document is not even of the kind that is asked for (observed).
    let domain = match fault.kind {
        xml::ErrorKind::Unknown | xml::ErrorKind::WrongRoot => ErrorDomain::Xml,
        _ => domain,
    };
    let detail = match fault.kind {
        // The phrase of these codes says what is missing; what is left to say is where.
        xml::ErrorKind::NoName | xml::ErrorKind::NoSource | xml::ErrorKind::NoTarget if fault.line > 0 => {
            format!("{} (line {})", fault.path, fault.line)
        }
        _ => fault.to_string(),
    };
    Error::new(code, detail).in_domain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code and domain as libvirtd 11.3 answered to the same documents.
    #[test]
    fn faults_come_from_the_part_that_the_document_belongs_to() {
        let of = |it: Error| (it.code.number(), it.domain.number());
        let cases = [
            (parse_network("<x", false).map(drop), (35, 19)),
            (parse_network("<domain/>", false).map(drop), (27, 5)),
            (parse_network_port("<x", false).map(drop), (35, 19)),
            (parse_pool("<x", false).map(drop), (35, 18)),
            (parse_pool("<domain/>", false).map(drop), (27, 5)),
            (parse_volume("<x", false).map(drop), (35, 18)),
            (parse_secret("<x", false).map(drop), (35, 30)),
            (parse_secret("<secret><bogus/></secret>", true).map(drop), (92, 5)),
        ];
        for (number, (read, expected)) in (1..).zip(cases) {
            assert_eq!(read.map_err(of), Err(expected), "case {number}");
        }
    }
}
