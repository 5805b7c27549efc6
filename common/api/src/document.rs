//! What both fronts do with XML text: read it into documents, write documents, and give faults libvirt's codes.
//!
//! Which elements there are is the schema's knowledge; no engine sees text.

use virtbus_schema::{Domain, FormatOptions, xml};

use crate::{
    error::{Error, ErrorCode, ErrorDomain, Result},
    flags::XmlFlags,
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

impl From<&xml::Error> for Error {
    fn from(fault: &xml::Error) -> Self {
        let code = ErrorCode::from_number(fault.kind.code()).unwrap_or(ErrorCode::XmlError);
        // The reference's XML layer speaks for itself where the document is not even a domain (observed).
        let domain = match fault.kind {
            xml::ErrorKind::Unknown | xml::ErrorKind::WrongRoot => ErrorDomain::Xml,
            _ => ErrorDomain::Domain,
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
}
