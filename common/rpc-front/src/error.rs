//! Errors as the wire has them: code, domain, message, level, and the strings and numbers that clients can ask for.
//!
//! An engine's error is filled in as the reference fills its own: `str1` the code's format, `str2` the detail, `int1`
//! the operating system's number or -1 (observed). Where the reference deviates, there is a constructor with its name.

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_proto::{DecodeError, Entry, Program, error::ErrorMessage};
use virtbus_rpc::error::Failure;

/// The result of a route.
pub type Result<T> = std::result::Result<T, Fault>;

/// The level of every error: `VIR_ERR_ERROR`.
const LEVEL_ERROR: i32 = 2;

/// Why a call failed, as the wire has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault(Box<ErrorMessage>);

impl Fault {
    /// What goes on the wire.
    pub fn message(&self) -> &ErrorMessage {
        &self.0
    }

    /// What goes on the wire.
    pub fn into_message(self) -> ErrorMessage {
        *self.0
    }

    /// Code `RPC`: the frame or its body breaks the protocol.
    pub(crate) fn protocol(text: impl Into<String>) -> Self {
        Error::new(ErrorCode::Rpc, text).in_domain(ErrorDomain::Rpc).into()
    }

    /// The arguments do not decode. A document that is no text at all is a fault of the document, as in the reference, which
    /// hands its bytes to the XML parser.
    pub(crate) fn undecodable(entry: &Entry, error: DecodeError) -> Self {
        let api = entry.api.unwrap_or(entry.name);
        if error == DecodeError::NotText && (api.contains("XML") || api == "virNetworkUpdate") {
            return Error::new(ErrorCode::XmlDetail, "the document is not UTF-8 text")
                .in_domain(domain_of(entry))
                .into();
        }
        tracing::debug!("arguments do not decode: {error}");
        Self::protocol("Unable to decode message payload")
    }

    /// Code `INTERNAL_ERROR` of the RPC layer: the session is not in the state that the call needs.
    pub(crate) fn session(text: impl Into<String>) -> Self {
        Error::internal(text).in_domain(ErrorDomain::Rpc).into()
    }

    /// Code `NO_SUPPORT` for a procedure without a route.
    pub(crate) fn not_served(entry: &Entry) -> Self {
        Error::no_support(entry.api.unwrap_or(entry.name)).in_domain(domain_of(entry)).into()
    }

    /// Code `OPERATION_DENIED` for a procedure that a read-only connection may not call.
    pub(crate) fn read_only(entry: &Entry) -> Self {
        let detail = format!("read only access prevents {}", entry.api.unwrap_or(entry.name));
        Error::new(ErrorCode::OperationDenied, detail).in_domain(domain_of(entry)).into()
    }

    /// Code `OPERATION_DENIED` for flags that ask a read-only connection's call for secrets.
    pub(crate) fn secure_flag(entry: &Entry) -> Self {
        let detail = format!("{} with secure flag", entry.api.unwrap_or(entry.name));
        Error::new(ErrorCode::OperationDenied, detail).in_domain(domain_of(entry)).into()
    }

    /// Code `INVALID_ARG` for bits that the call does not have. No phrase stands before the text.
    pub(crate) fn flags(entry: &Entry, unknown: u32) -> Self {
        let function = entry.api.unwrap_or(entry.name);
        Self::argument(entry, "flags", format!("unsupported flags (0x{unknown:x}) in function {function}"))
    }

    /// Code `INVALID_ARG` for one argument of the call. No phrase stands before the text.
    pub(crate) fn argument(entry: &Entry, argument: &str, text: String) -> Self {
        Self(Box::new(ErrorMessage {
            code: ErrorCode::InvalidArg.number(),
            domain: domain_of(entry).number(),
            message: Some(text),
            level: LEVEL_ERROR,
            str1: Some(entry.api.unwrap_or(entry.name).to_owned()),
            str2: Some(argument.to_owned()),
            ..ErrorMessage::default()
        }))
    }
}

/// Which part of the reference's library checks the arguments of a call, by what the call's name begins with, or what it
/// contains where it is the connection's: the first that fits (observed). What fits nothing belongs to domains.
const DOMAINS: &[(&str, ErrorDomain)] = &[
    ("virDomainSnapshot", ErrorDomain::DomainSnapshot),
    ("virDomainCheckpoint", ErrorDomain::DomainCheckpoint),
    ("virNetwork", ErrorDomain::Network),
    ("virStorage", ErrorDomain::Storage),
    ("virNodeDevice", ErrorDomain::Nodedev),
    ("virNodeNumOfDevices", ErrorDomain::Nodedev),
    ("virNodeListDevices", ErrorDomain::Nodedev),
    ("virInterface", ErrorDomain::Interface),
    ("virNWFilter", ErrorDomain::Nwfilter),
    ("virSecret", ErrorDomain::Secret),
    ("virStream", ErrorDomain::Streams),
];

const OF_THE_CONNECTION: &[(&str, ErrorDomain)] = &[
    ("StoragePool", ErrorDomain::Storage),
    ("NodeDevice", ErrorDomain::Nodedev),
    ("NWFilter", ErrorDomain::Nwfilter),
    ("Secret", ErrorDomain::Secret),
    ("Network", ErrorDomain::Network),
    ("Interface", ErrorDomain::Interface),
];

/// The part of the API that a procedure belongs to.
pub(crate) fn domain_of(entry: &Entry) -> ErrorDomain {
    match entry.program {
        Program::Remote => {
            let api = entry.api.unwrap_or(entry.name);
            let mut begins = DOMAINS.iter().filter(|(start, _)| api.starts_with(start));
            let mut contains =
                OF_THE_CONNECTION.iter().filter(|(part, _)| api.starts_with("virConnect") && api.contains(part));
            begins.next().or_else(|| contains.next()).map_or(ErrorDomain::Domain, |(_, it)| *it)
        }
        Program::Admin => ErrorDomain::Admin,
        // The calls that only QEMU has live in a library without a number.
        Program::Qemu | Program::Lxc | Program::Keepalive => ErrorDomain::Nowhere,
    }
}

impl From<Error> for Fault {
    fn from(it: Error) -> Self {
        let detail = it.full_detail();
        let (str1, str2) = match (detail.is_empty(), it.code.pattern()) {
            (true, _) => (it.code.bare().to_owned(), None),
            // The reference marks places for translators only where there is text around them.
            (false, "{}") => ("%s".to_owned(), Some(detail)),
            (false, pattern) => (pattern.replacen("{}", "%1$s", 1), Some(detail)),
        };
        Self(Box::new(ErrorMessage {
            code: it.code.number(),
            domain: it.domain.number(),
            message: Some(it.message()),
            level: LEVEL_ERROR,
            str1: Some(str1),
            str2,
            int1: it.errno.unwrap_or(-1),
            int2: -1,
            ..ErrorMessage::default()
        }))
    }
}

impl From<Failure> for Fault {
    fn from(it: Failure) -> Self {
        Self(it)
    }
}

impl From<Fault> for Failure {
    fn from(it: Fault) -> Self {
        it.0
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (code {})", self.0.message.as_deref().unwrap_or("no message"), self.0.code)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;
    use virtbus_proto::{Procedure, table::*};

    /// Fields as libvirtd 11.3 sends them for the same faults.
    #[test]
    fn fields_are_filled_as_the_reference_fills_them() {
        let it = Fault::from(Error::new(ErrorCode::NoDomain, "no domain with matching id 7")).into_message();
        assert_eq!((it.code, it.domain, it.level, it.int1, it.int2), (42, 10, 2, -1, -1));
        assert_eq!(it.message.as_deref(), Some("Domain not found: no domain with matching id 7"));
        assert_eq!(it.str1.as_deref(), Some("Domain not found: %1$s"));
        assert_eq!(it.str2.as_deref(), Some("no domain with matching id 7"));

        let io = std::io::Error::from_raw_os_error(13);
        let it = Fault::from(Error::system("Unable to open /dev/kvm", &io)).into_message();
        assert_eq!((it.code, it.str1.as_deref(), it.int1), (38, Some("%s"), 13));

        let it = Fault::read_only(DomainCreate::ENTRY).into_message();
        assert_eq!(it.message.as_deref(), Some("operation forbidden: read only access prevents virDomainCreate"));
        assert_eq!((it.code, it.domain), (29, 20));

        assert_eq!(Fault::read_only(DomainSnapshotCreateXml::ENTRY).message().domain, 35);
        assert_eq!(Fault::read_only(QemuDomainMonitorCommand::ENTRY).message().domain, 0);

        let it = Fault::flags(DomainCreate::ENTRY, 0x40).into_message();
        assert_eq!(it.message.as_deref(), Some("unsupported flags (0x40) in function virDomainCreate"));
        assert_eq!((it.code, it.str1.as_deref(), it.str2.as_deref()), (8, Some("virDomainCreate"), Some("flags")));
        assert_eq!((it.int1, it.int2), (0, 0));
    }

    /// As libvirtd 11.3 answers where a driver does not have the call.
    #[test]
    fn refusals_come_from_the_part_that_the_call_belongs_to() {
        assert_eq!(Fault::read_only(NetworkCreate::ENTRY).message().domain, 19);
        let of = |entry| Fault::not_served(entry).message().domain;
        assert_eq!(of(ConnectListAllNetworks::ENTRY), 19);
        assert_eq!(of(ConnectListAllInterfaces::ENTRY), 26);
        assert_eq!(of(ConnectListAllNwfilters::ENTRY), 33);
        assert_eq!(of(ConnectListAllNodeDevices::ENTRY), 22);
        assert_eq!(of(ConnectNumOfSecrets::ENTRY), 30);
        assert_eq!(of(ConnectGetStoragePoolCapabilities::ENTRY), 18);
        assert_eq!(of(ConnectListAllDomains::ENTRY), 20);
    }

    #[test]
    fn a_document_that_is_no_text_is_a_fault_of_the_document() {
        let code = |entry, error| {
            let it = Fault::undecodable(entry, error).into_message();
            (it.code, it.domain)
        };
        assert_eq!(code(SecretDefineXml::ENTRY, DecodeError::NotText), (35, 30));
        assert_eq!(code(NetworkUpdate::ENTRY, DecodeError::NotText), (35, 19));
        assert_eq!(code(StoragePoolDefineXml::ENTRY, DecodeError::NotText), (35, 18));
        assert_eq!(code(StoragePoolLookupByName::ENTRY, DecodeError::NotText), (39, 7));
        assert_eq!(code(SecretDefineXml::ENTRY, DecodeError::Truncated), (39, 7));
    }
}
