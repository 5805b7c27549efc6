//! The types that several procedures share. What an object is or can do is not known here.

use crate::record::records;
use crate::xdr::{DecodeError, EncodeError, Xdr};

/// A UUID, as its sixteen bytes.
pub type Uuid = [u8; 16];

/// An answer of `AUTH_LIST`: the client is authenticated already.
pub const AUTH_NONE: i32 = 0;
/// An answer of `AUTH_LIST`: the `AUTH_SASL_*` calls follow.
pub const AUTH_SASL: i32 = 1;
/// An answer of `AUTH_LIST`: the call `AUTH_POLKIT` follows.
pub const AUTH_POLKIT: i32 = 2;

records! {
    /// A guest; `id` is -1 when it is not running.
    Domain { name: String, uuid: Uuid, id: i32 }
    /// A virtual network.
    Network { name: String, uuid: Uuid }
    /// A port of a virtual network.
    NetworkPort { net: Network, uuid: Uuid }
    /// A network interface of the host.
    Interface { name: String, mac: String }
    /// A network filter.
    Nwfilter { name: String, uuid: Uuid }
    /// A network filter that is bound to a port.
    NwfilterBinding { portdev: String, filtername: String }
    /// A storage pool.
    StoragePool { name: String, uuid: Uuid }
    /// A storage volume; `pool` is the pool's name.
    StorageVol { pool: String, name: String, key: String }
    /// A device of the host.
    NodeDevice { name: String }
    /// A secret.
    Secret { uuid: Uuid, usage_type: i32, usage_id: String }
    /// A snapshot of a guest.
    DomainSnapshot { name: String, dom: Domain }
    /// A checkpoint of a guest.
    DomainCheckpoint { name: String, dom: Domain }

    /// A disk and what is wrong with it (`virDomainDiskErrorCode`).
    DomainDiskError { disk: String, error: i32 }
    /// One end of a graphics connection.
    DomainEventGraphicsAddress { family: i32, node: String, service: String }
    /// Whom a graphics connection was authenticated as.
    DomainEventGraphicsIdentity { r#type: String, name: String }
    /// A file system mounted in the guest.
    DomainFsinfo { mountpoint: String, name: String, fstype: String, dev_aliases: Vec<String>[256] }
    /// A network interface as the guest sees it.
    DomainInterface { name: String, hwaddr: Option<String>, addrs: Vec<DomainIpAddr>[2048] }
    /// An address of a [`DomainInterface`].
    DomainIpAddr { r#type: i32, addr: String, prefix: u32 }
    /// An I/O thread and the processors it may run on, a bit each.
    DomainIothreadInfo { iothread_id: u32, cpumap: Vec<u8>[2048] }
    /// A memory statistic (`virDomainMemoryStatTags`).
    DomainMemoryStat { tag: i32, val: u64 }
    /// A guest and its statistics.
    DomainStatsRecord { dom: Domain, params: Vec<TypedParam>[262144] }
    /// A virtual processor; `cpu_time` in nanoseconds.
    VcpuInfo { number: u32, state: i32, cpu_time: u64, cpu: i32 }
    /// A lease that a virtual network gave; `expirytime` in seconds since the epoch.
    NetworkDhcpLease {
        iface: String,
        expirytime: i64,
        r#type: i32,
        mac: Option<String>,
        iaid: Option<String>,
        ipaddr: String,
        prefix: u32,
        hostname: Option<String>,
        clientid: Option<String>,
    }
    /// A processor statistic of the host.
    NodeCpuStat { field: String, value: u64 }
    /// A memory statistic of the host.
    NodeMemoryStat { field: String, value: u64 }

    /// A server of a daemon: a set of sockets with their workers and limits.
    AdminServer { name: String }
    /// A client of a server; `timestamp` in seconds since the epoch.
    AdminClient { srv: AdminServer, id: u64, timestamp: i64, transport: u32 }

    /// A hole of a sparse stream: so many bytes of zeros. No flags are defined.
    StreamHole { length: i64, flags: u32 }
}

/// A named value: how the API carries settings and statistics that grow over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedParam {
    /// What it is.
    pub field: String,
    /// Its value.
    pub value: TypedValue,
}

impl Xdr for TypedParam {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Self { field, value } = self;
        field.encode(out)?;
        value.encode(out)
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let field = String::decode(input)?;
        Ok(Self { field, value: TypedValue::decode(input)? })
    }
}

/// The value of a [`TypedParam`].
#[derive(Debug, Clone, PartialEq)]
pub enum TypedValue {
    /// 1
    Int(i32),
    /// 2
    Uint(u32),
    /// 3
    Llong(i64),
    /// 4
    Ullong(u64),
    /// 5
    Double(f64),
    /// 6: four bytes; anything but 0 is true.
    Boolean(bool),
    /// 7: only to clients that said they understand it.
    String(String),
}

impl TypedValue {
    /// The number of the variant on the wire (`virTypedParameterType`).
    pub const fn number(&self) -> i32 {
        match self {
            Self::Int(_) => 1,
            Self::Uint(_) => 2,
            Self::Llong(_) => 3,
            Self::Ullong(_) => 4,
            Self::Double(_) => 5,
            Self::Boolean(_) => 6,
            Self::String(_) => 7,
        }
    }
}

impl Xdr for TypedValue {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.number().encode(out)?;
        match self {
            Self::Int(value) => value.encode(out),
            Self::Uint(value) => value.encode(out),
            Self::Llong(value) => value.encode(out),
            Self::Ullong(value) => value.encode(out),
            Self::Double(value) => value.encode(out),
            Self::Boolean(value) => i32::from(*value).encode(out),
            Self::String(value) => value.encode(out),
        }
    }
    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        match i32::decode(input)? {
            1 => i32::decode(input).map(Self::Int),
            2 => u32::decode(input).map(Self::Uint),
            3 => i64::decode(input).map(Self::Llong),
            4 => u64::decode(input).map(Self::Ullong),
            5 => f64::decode(input).map(Self::Double),
            6 => i32::decode(input).map(|value| Self::Boolean(value != 0)),
            7 => String::decode(input).map(Self::String),
            other => Err(DecodeError::UnknownVariant(other)),
        }
    }
}
