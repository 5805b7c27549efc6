//! The one error that crosses the engine traits, and libvirt's tables of error codes and domains.
//!
//! Text for the user says what happened *and* to which object. Fronts turn an [`Error`] into their own form; nothing
//! here knows a wire. Numbers are libvirt 11.3's; the short phrases are what tools match on (observed).

use std::fmt;

/// The result of every engine call.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! error_codes {
    ($($number:literal $name:ident = $symbol:literal, $with:literal, $bare:literal;)*) => {
        /// libvirt's error number (`virErrorNumber`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum ErrorCode {
            $(#[doc = concat!("`VIR_", $symbol, "`: ", $bare, ".")] $name = $number,)*
        }

        impl ErrorCode {
            /// Every code, in order of its number.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// The number on the wire.
            pub fn number(self) -> i32 {
                self as i32
            }

            /// The code of a number on the wire.
            pub fn from_number(number: i32) -> Option<ErrorCode> {
                match number { $($number => Some(ErrorCode::$name),)* _ => None }
            }

            /// The name without `VIR_ERR_`, as in the D-Bus error name `org.libvirt.Error.NO_DOMAIN`.
            pub fn name(self) -> &'static str {
                let symbol = match self { $(ErrorCode::$name => $symbol,)* };
                symbol.split_once('_').map_or(symbol, |(_, name)| name)
            }

            /// The text around a detail: `{}` stands for it.
            pub fn pattern(self) -> &'static str {
                match self { $(ErrorCode::$name => $with,)* }
            }

            /// The text where there is no detail.
            pub fn bare(self) -> &'static str {
                match self { $(ErrorCode::$name => $bare,)* }
            }
        }
    };
}

error_codes! {
      1 InternalError = "ERR_INTERNAL_ERROR", "internal error: {}", "internal error";
      2 NoMemory = "ERR_NO_MEMORY", "out of memory: {}", "out of memory";
      3 NoSupport = "ERR_NO_SUPPORT", "this function is not supported by the connection driver: {}", "this function is not supported by the connection driver";
      4 UnknownHost = "ERR_UNKNOWN_HOST", "unknown host {}", "unknown host";
      5 NoConnect = "ERR_NO_CONNECT", "no connection driver available for {}", "no connection driver available";
      6 InvalidConn = "ERR_INVALID_CONN", "invalid connection pointer in {}", "invalid connection pointer in";
      7 InvalidDomain = "ERR_INVALID_DOMAIN", "invalid domain pointer in {}", "invalid domain pointer in";
      8 InvalidArg = "ERR_INVALID_ARG", "invalid argument: {}", "invalid argument";
      9 OperationFailed = "ERR_OPERATION_FAILED", "operation failed: {}", "operation failed";
     10 GetFailed = "ERR_GET_FAILED", "GET operation failed: {}", "GET operation failed";
     11 PostFailed = "ERR_POST_FAILED", "POST operation failed: {}", "POST operation failed";
     12 HttpError = "ERR_HTTP_ERROR", "http error: {}", "http error";
     13 SexprSerial = "ERR_SEXPR_SERIAL", "sexpr serial: {}", "sexpr serial";
     14 NoXen = "ERR_NO_XEN", "no xen: {}", "no xen";
     15 XenCall = "ERR_XEN_CALL", "xen call: {}", "xen call";
     16 OsType = "ERR_OS_TYPE", "unknown OS type {}", "unknown OS type";
     17 NoKernel = "ERR_NO_KERNEL", "no kernel: {}", "no kernel";
     18 NoRoot = "ERR_NO_ROOT", "missing root device information in {}", "missing root device information";
     19 NoSource = "ERR_NO_SOURCE", "missing source information for device {}", "missing source information for device";
     20 NoTarget = "ERR_NO_TARGET", "missing target information for device {}", "missing target information for device";
     21 NoName = "ERR_NO_NAME", "missing name information in {}", "missing name information";
     22 NoOs = "ERR_NO_OS", "missing operating system information for {}", "missing operating system information";
     23 NoDevice = "ERR_NO_DEVICE", "missing devices information for {}", "missing devices information";
     24 NoXenstore = "ERR_NO_XENSTORE", "no xenstore: {}", "no xenstore";
     25 DriverFull = "ERR_DRIVER_FULL", "driver full: {}", "driver full";
     26 CallFailed = "ERR_CALL_FAILED", "library call failed: {}", "library call failed";
     27 XmlError = "ERR_XML_ERROR", "XML error: {}", "XML description is invalid or not well formed";
     28 DomExist = "ERR_DOM_EXIST", "domain {} exists already", "this domain exists already";
     29 OperationDenied = "ERR_OPERATION_DENIED", "operation forbidden: {}", "operation forbidden for read only access";
     30 OpenFailed = "ERR_OPEN_FAILED", "failed to open configuration file {}", "failed to open configuration file for reading";
     31 ReadFailed = "ERR_READ_FAILED", "failed to read configuration file {}", "failed to read configuration file";
     32 ParseFailed = "ERR_PARSE_FAILED", "failed to parse configuration file {}", "failed to parse configuration file";
     33 ConfSyntax = "ERR_CONF_SYNTAX", "configuration file syntax error: {}", "configuration file syntax error";
     34 WriteFailed = "ERR_WRITE_FAILED", "failed to write configuration file: {}", "failed to write configuration file";
     35 XmlDetail = "ERR_XML_DETAIL", "{}", "parser error";
     36 InvalidNetwork = "ERR_INVALID_NETWORK", "invalid network pointer in {}", "invalid network pointer in";
     37 NetworkExist = "ERR_NETWORK_EXIST", "network {} exists already", "this network exists already";
     38 SystemError = "ERR_SYSTEM_ERROR", "{}", "system call error";
     39 Rpc = "ERR_RPC", "{}", "RPC error";
     40 GnutlsError = "ERR_GNUTLS_ERROR", "{}", "GNUTLS call error";
     41 WarnNoNetwork = "WAR_NO_NETWORK", "no network: {}", "no network";
     42 NoDomain = "ERR_NO_DOMAIN", "Domain not found: {}", "Domain not found";
     43 NoNetwork = "ERR_NO_NETWORK", "Network not found: {}", "Network not found";
     44 InvalidMac = "ERR_INVALID_MAC", "invalid MAC address: {}", "invalid MAC address";
     45 AuthFailed = "ERR_AUTH_FAILED", "authentication failed: {}", "authentication failed";
     46 InvalidStoragePool = "ERR_INVALID_STORAGE_POOL", "invalid storage pool pointer in {}", "invalid storage pool pointer in";
     47 InvalidStorageVol = "ERR_INVALID_STORAGE_VOL", "invalid storage volume pointer in {}", "invalid storage volume pointer in";
     48 WarnNoStorage = "WAR_NO_STORAGE", "no storage: {}", "no storage";
     49 NoStoragePool = "ERR_NO_STORAGE_POOL", "Storage pool not found: {}", "Storage pool not found";
     50 NoStorageVol = "ERR_NO_STORAGE_VOL", "Storage volume not found: {}", "Storage volume not found";
     51 WarnNoNode = "WAR_NO_NODE", "no node: {}", "no node";
     52 InvalidNodeDevice = "ERR_INVALID_NODE_DEVICE", "invalid node device: {}", "invalid node device";
     53 NoNodeDevice = "ERR_NO_NODE_DEVICE", "Node device not found: {}", "Node device not found";
     54 NoSecurityModel = "ERR_NO_SECURITY_MODEL", "Security model not found: {}", "Security model not found";
     55 OperationInvalid = "ERR_OPERATION_INVALID", "Requested operation is not valid: {}", "Requested operation is not valid";
     56 WarnNoInterface = "WAR_NO_INTERFACE", "no interface: {}", "no interface";
     57 NoInterface = "ERR_NO_INTERFACE", "Interface not found: {}", "Interface not found";
     58 InvalidInterface = "ERR_INVALID_INTERFACE", "invalid interface: {}", "invalid interface";
     59 MultipleInterfaces = "ERR_MULTIPLE_INTERFACES", "multiple interfaces: {}", "multiple interfaces";
     60 WarnNoNwfilter = "WAR_NO_NWFILTER", "no nwfilter: {}", "no nwfilter";
     61 InvalidNwfilter = "ERR_INVALID_NWFILTER", "invalid nwfilter: {}", "invalid nwfilter";
     62 NoNwfilter = "ERR_NO_NWFILTER", "Network filter not found: {}", "Network filter not found";
     63 BuildFirewall = "ERR_BUILD_FIREWALL", "error building firewall: {}", "error building firewall";
     64 WarnNoSecret = "WAR_NO_SECRET", "no secret: {}", "no secret";
     65 InvalidSecret = "ERR_INVALID_SECRET", "Invalid secret: {}", "Invalid secret";
     66 NoSecret = "ERR_NO_SECRET", "Secret not found: {}", "Secret not found";
     67 ConfigUnsupported = "ERR_CONFIG_UNSUPPORTED", "unsupported configuration: {}", "unsupported configuration";
     68 OperationTimeout = "ERR_OPERATION_TIMEOUT", "Timed out during operation: {}", "Timed out during operation";
     69 MigratePersistFailed = "ERR_MIGRATE_PERSIST_FAILED", "migrate persist failed: {}", "migrate persist failed";
     70 HookScriptFailed = "ERR_HOOK_SCRIPT_FAILED", "Hook script execution failed: {}", "Hook script execution failed";
     71 InvalidDomainSnapshot = "ERR_INVALID_DOMAIN_SNAPSHOT", "Invalid domain snapshot: {}", "Invalid snapshot";
     72 NoDomainSnapshot = "ERR_NO_DOMAIN_SNAPSHOT", "Domain snapshot not found: {}", "Domain snapshot not found";
     73 InvalidStream = "ERR_INVALID_STREAM", "invalid stream pointer in {}", "invalid stream pointer";
     74 ArgumentUnsupported = "ERR_ARGUMENT_UNSUPPORTED", "argument unsupported: {}", "argument unsupported";
     75 StorageProbeFailed = "ERR_STORAGE_PROBE_FAILED", "Storage pool probe failed: {}", "Storage pool probe failed";
     76 StoragePoolBuilt = "ERR_STORAGE_POOL_BUILT", "Storage pool already built: {}", "Storage pool already built";
     77 SnapshotRevertRisky = "ERR_SNAPSHOT_REVERT_RISKY", "revert requires force: {}", "revert requires force";
     78 OperationAborted = "ERR_OPERATION_ABORTED", "operation aborted: {}", "operation aborted";
     79 AuthCancelled = "ERR_AUTH_CANCELLED", "authentication cancelled: {}", "authentication cancelled";
     80 NoDomainMetadata = "ERR_NO_DOMAIN_METADATA", "metadata not found: {}", "metadata not found";
     81 MigrateUnsafe = "ERR_MIGRATE_UNSAFE", "Unsafe migration: {}", "Unsafe migration";
     82 Overflow = "ERR_OVERFLOW", "numerical overflow: {}", "numerical overflow";
     83 BlockCopyActive = "ERR_BLOCK_COPY_ACTIVE", "block copy still active: {}", "block copy still active";
     84 OperationUnsupported = "ERR_OPERATION_UNSUPPORTED", "Operation not supported: {}", "Operation not supported";
     85 Ssh = "ERR_SSH", "ssh: {}", "ssh";
     86 AgentUnresponsive = "ERR_AGENT_UNRESPONSIVE", "Guest agent is not responding: {}", "Guest agent is not responding";
     87 ResourceBusy = "ERR_RESOURCE_BUSY", "resource busy: {}", "resource busy";
     88 AccessDenied = "ERR_ACCESS_DENIED", "access denied: {}", "access denied";
     89 DbusService = "ERR_DBUS_SERVICE", "error from service: {}", "error from service";
     90 StorageVolExist = "ERR_STORAGE_VOL_EXIST", "storage volume {} exists already", "this storage volume exists already";
     91 CpuIncompatible = "ERR_CPU_INCOMPATIBLE", "the CPU is incompatible with host CPU: {}", "the CPU is incompatible with host CPU";
     92 XmlInvalidSchema = "ERR_XML_INVALID_SCHEMA", "XML document failed to validate against schema: {}", "XML document failed to validate against schema";
     93 MigrateFinishOk = "ERR_MIGRATE_FINISH_OK", "migrate finish ok: {}", "migrate finish ok";
     94 AuthUnavailable = "ERR_AUTH_UNAVAILABLE", "authentication unavailable: {}", "authentication unavailable";
     95 NoServer = "ERR_NO_SERVER", "Server not found: {}", "Server not found";
     96 NoClient = "ERR_NO_CLIENT", "Client not found: {}", "Client not found";
     97 AgentUnsynced = "ERR_AGENT_UNSYNCED", "guest agent replied with wrong id to guest-sync command: {}", "guest agent replied with wrong id to guest-sync command";
     98 Libssh = "ERR_LIBSSH", "libssh: {}", "libssh";
     99 DeviceMissing = "ERR_DEVICE_MISSING", "device not found: {}", "device not found";
    100 InvalidNwfilterBinding = "ERR_INVALID_NWFILTER_BINDING", "invalid nwfilter binding: {}", "invalid nwfilter binding";
    101 NoNwfilterBinding = "ERR_NO_NWFILTER_BINDING", "no nwfilter binding: {}", "no nwfilter binding";
    102 InvalidDomainCheckpoint = "ERR_INVALID_DOMAIN_CHECKPOINT", "Invalid domain checkpoint: {}", "Invalid domain checkpoint";
    103 NoDomainCheckpoint = "ERR_NO_DOMAIN_CHECKPOINT", "Domain checkpoint not found: {}", "Domain checkpoint not found";
    104 NoDomainBackup = "ERR_NO_DOMAIN_BACKUP", "Domain backup job id not found: {}", "Domain backup job id not found";
    105 InvalidNetworkPort = "ERR_INVALID_NETWORK_PORT", "Invalid network port pointer: {}", "Invalid network port pointer";
    106 NetworkPortExist = "ERR_NETWORK_PORT_EXIST", "network port {} exists already", "this network port exists already";
    107 NoNetworkPort = "ERR_NO_NETWORK_PORT", "network port not found: {}", "network port not found";
    108 NoHostname = "ERR_NO_HOSTNAME", "no hostname found: {}", "no hostname found";
    109 CheckpointInconsistent = "ERR_CHECKPOINT_INCONSISTENT", "checkpoint inconsistent: {}", "checkpoint inconsistent";
    110 MultipleDomains = "ERR_MULTIPLE_DOMAINS", "multiple domains found: {}", "multiple domains found";
    111 NoNetworkMetadata = "ERR_NO_NETWORK_METADATA", "metadata not found: {}", "metadata not found";
    112 AgentCommandTimeout = "ERR_AGENT_COMMAND_TIMEOUT", "guest agent command timed out: {}", "guest agent command timed out";
    113 AgentCommandFailed = "ERR_AGENT_COMMAND_FAILED", "guest agent command failed: {}", "guest agent command failed";
}

macro_rules! error_domains {
    ($($number:literal $name:ident;)*) => {
        /// The part of libvirt an error comes from (`virErrorDomain`); shown by clients, rarely matched.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[allow(missing_docs)]
        pub enum ErrorDomain { $($name = $number,)* }

        impl ErrorDomain {
            /// The number on the wire.
            pub fn number(self) -> i32 {
                self as i32
            }

            /// The domain of a number on the wire; `None` where libvirt 11.3 has none.
            pub fn from_number(number: i32) -> Option<ErrorDomain> {
                match number { $($number => Some(ErrorDomain::$name),)* _ => None }
            }
        }
    };
}

error_domains! {
     0 Nowhere;
     1 Xen;
     2 Xend;
     3 Xenstore;
     4 Sexpr;
     5 Xml;
     6 Dom;
     7 Rpc;
     8 Proxy;
     9 Conf;
    10 Qemu;
    11 Net;
    12 Test;
    13 Remote;
    14 Openvz;
    15 Xenxm;
    16 StatsLinux;
    17 Lxc;
    18 Storage;
    19 Network;
    20 Domain;
    21 Uml;
    22 Nodedev;
    23 XenInotify;
    24 Security;
    25 Vbox;
    26 Interface;
    27 One;
    28 Esx;
    29 Phyp;
    30 Secret;
    31 Cpu;
    32 Xenapi;
    33 Nwfilter;
    34 Hook;
    35 DomainSnapshot;
    36 Audit;
    37 Sysinfo;
    38 Streams;
    39 Vmware;
    40 Event;
    41 Libxl;
    42 Locking;
    43 Hyperv;
    44 Capabilities;
    45 Uri;
    46 Auth;
    47 Dbus;
    48 Parallels;
    49 Device;
    50 Ssh;
    51 Lockspace;
    52 Initctl;
    53 Identity;
    54 Cgroup;
    55 Access;
    56 Systemd;
    57 Bhyve;
    58 Crypto;
    59 Firewall;
    60 Polkit;
    61 Thread;
    62 Admin;
    63 Logging;
    64 Xenxl;
    65 Perf;
    66 Libssh;
    67 Resctrl;
    68 Firewalld;
    69 DomainCheckpoint;
    70 Tpm;
    71 Bpf;
    72 Ch;
}

/// What went wrong, with what, and why.
#[derive(Debug)]
pub struct Error {
    /// libvirt's code: what tools decide by.
    pub code: ErrorCode,
    /// Which part of the product says so.
    pub domain: ErrorDomain,
    /// The detail that the code's pattern surrounds; empty where the bare text says all.
    pub detail: String,
    /// The operating system's error number, for `SYSTEM_ERROR`.
    pub errno: Option<i32>,
    /// What lies beneath; printed once, after the detail.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the QEMU driver; other owners set the domain by [`Error::in_domain`].
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, domain: ErrorDomain::Qemu, detail: detail.into(), errno: None, source: None }
    }

    /// The same error from another part of the product.
    #[must_use]
    pub fn in_domain(mut self, domain: ErrorDomain) -> Self {
        self.domain = domain;
        self
    }

    /// The same error with what lies beneath it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A system call failed: code `SYSTEM_ERROR`, the detail ends with the operating system's text.
    pub fn system(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let text = match error.raw_os_error() {
            // `io::Error` appends "(os error N)"; the number travels in its own field.
            Some(number) => error.to_string().replace(&format!(" (os error {number})"), ""),
            None => error.to_string(),
        };
        let mut it = Self::new(ErrorCode::SystemError, format!("{what}: {text}"));
        it.errno = error.raw_os_error();
        it
    }

    /// Code `INTERNAL_ERROR`: a fault of ours or of QEMU's, never the caller's.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InternalError, detail)
    }

    /// Code `INVALID_ARG`: the caller's argument makes no sense.
    pub fn invalid_arg(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArg, detail)
    }

    /// Code `OPERATION_INVALID`: it cannot be done in the object's present state.
    pub fn invalid_operation(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::OperationInvalid, detail)
    }

    /// Code `OPERATION_FAILED`: it was tried and did not work out.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::OperationFailed, detail)
    }

    /// Code `OPERATION_TIMEOUT`: a deadline passed; the detail names what is stuck.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::OperationTimeout, detail)
    }

    /// Code `CONFIG_UNSUPPORTED`: the document asks for what this host, QEMU or driver does not have.
    pub fn unsupported_config(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::ConfigUnsupported, detail)
    }

    /// Code `XML_ERROR`: the document is wrong in itself.
    pub fn xml(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::XmlError, detail).in_domain(ErrorDomain::Domain)
    }

    /// Code `NO_SUPPORT`: this driver does not offer the function.
    pub fn no_support(function: impl Into<String>) -> Self {
        Self::new(ErrorCode::NoSupport, function)
    }

    /// The whole text as a client shows it: the code's phrase around the detail, then the cause.
    pub fn message(&self) -> String {
        let detail = self.full_detail();
        if detail.is_empty() { self.code.bare().to_owned() } else { self.code.pattern().replacen("{}", &detail, 1) }
    }

    /// The detail with its causes, each said once.
    pub fn full_detail(&self) -> String {
        let mut text = self.detail.clone();
        let mut next: Option<&(dyn std::error::Error + 'static)> = match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        };
        while let Some(source) = next {
            let said = source.to_string();
            if !text.contains(&said) {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(&said);
            }
            next = source.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text already holds the chain; giving it again would print it twice.
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_have_one_place_for_the_detail() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
            assert_eq!(code.pattern().matches("{}").count(), 1, "{code:?}");
        }
        assert_eq!(ErrorCode::NoDomain.name(), "NO_DOMAIN");
        assert_eq!(ErrorCode::from_number(0), None);
    }

    #[test]
    fn messages_read_as_the_reference_has_them() {
        let it = Error::new(ErrorCode::NoDomain, "no domain with matching name 'x'");
        assert_eq!(it.message(), "Domain not found: no domain with matching name 'x'");
        let io = std::io::Error::from_raw_os_error(2);
        let it = Error::system("cannot open '/x'", &io);
        assert_eq!(it.message(), "cannot open '/x': No such file or directory");
        assert_eq!(it.errno, Some(2));
        let it = Error::internal("cannot start").caused_by(std::io::Error::other("no room"));
        assert_eq!(it.message(), "internal error: cannot start: no room");
    }
}
