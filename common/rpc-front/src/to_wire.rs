//! What engines answer, as clients read it. Nothing is decided here.

use std::net::IpAddr;

use virtbus_api::{
    DomainRef, NetworkRef, ParamValue, PoolRef, PortRef, SecretRef, TypedParam, VolumeRef,
    hypervisor::{DomainInfo, JobInfo, NodeInfo, State},
    network::Lease,
};
use virtbus_proto::{
    table::{DomainGetInfoReply, DomainGetJobInfoReply, DomainGetStateReply, NodeGetInfoReply},
    types,
    xdr::FixedChars,
};

use crate::error::{Fault, Result};

/// A domain; id -1 stands for one that is not active.
pub(crate) fn domain(it: &DomainRef) -> types::Domain {
    types::Domain {
        name: it.name.clone(),
        uuid: *it.uuid.as_bytes(),
        id: it.id.and_then(|it| i32::try_from(it).ok()).unwrap_or(-1),
    }
}

/// A network.
pub(crate) fn network(it: &NetworkRef) -> types::Network {
    types::Network { name: it.name.clone(), uuid: *it.uuid.as_bytes() }
}

/// A port of a network.
pub(crate) fn port(it: &PortRef) -> types::NetworkPort {
    types::NetworkPort { net: network(&it.network), uuid: *it.uuid.as_bytes() }
}

/// A pool.
pub(crate) fn pool(it: &PoolRef) -> types::StoragePool {
    types::StoragePool { name: it.name.clone(), uuid: *it.uuid.as_bytes() }
}

/// A volume.
pub(crate) fn volume(it: &VolumeRef) -> types::StorageVol {
    types::StorageVol { pool: it.pool.clone(), name: it.name.clone(), key: it.key.clone() }
}

/// A secret.
pub(crate) fn secret(it: &SecretRef) -> types::Secret {
    types::Secret { uuid: *it.uuid.as_bytes(), usage_type: it.usage_type, usage_id: it.usage_id.clone() }
}

/// A lease; its type is `virIPAddrType`.
pub(crate) fn lease(it: &Lease) -> types::NetworkDhcpLease {
    let r#type = match it.address {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 1,
    };
    types::NetworkDhcpLease {
        iface: it.interface.clone(),
        expirytime: it.expires,
        r#type,
        mac: it.mac.clone(),
        iaid: it.iaid.clone(),
        ipaddr: it.address.to_string(),
        prefix: it.prefix,
        hostname: it.hostname.clone(),
        clientid: it.client_id.clone(),
    }
}

/// A list and its length; the length alone where no results are wanted. The protocol has no way to send more than
/// `limit`: saying so is better than a list that seems complete.
pub(crate) fn list<T, W>(
    need_results: i32,
    found: &[T],
    limit: usize,
    what: &str,
    item: impl Fn(&T) -> W,
) -> Result<(Vec<W>, u32)> {
    let ret = count(found.len());
    if need_results == 0 {
        return Ok((Vec::new(), ret));
    }
    if found.len() > limit {
        return Err(Fault::protocol(format!("Too many {what} '{}' for limit '{limit}'", found.len())));
    }
    Ok((found.iter().map(item).collect(), ret))
}

/// C's truth.
pub(crate) fn boolean(it: bool) -> i32 {
    i32::from(it)
}

/// A count; one that is too great for the wire is the greatest that is not.
pub(crate) fn count<T: TryFrom<usize> + Bounded>(it: usize) -> T {
    T::try_from(it).unwrap_or(T::MAX)
}

/// Numbers with a greatest value.
pub(crate) trait Bounded {
    /// The greatest value.
    const MAX: Self;
}
impl Bounded for i32 {
    const MAX: Self = i32::MAX;
}
impl Bounded for u32 {
    const MAX: Self = u32::MAX;
}

/// An unsigned number where the wire has a signed one.
pub(crate) fn signed(it: u32) -> i32 {
    i32::try_from(it).unwrap_or(i32::MAX)
}

/// State and reason.
pub(crate) fn state(it: State) -> DomainGetStateReply {
    DomainGetStateReply { state: it.number(), reason: it.detail() }
}

/// The figures of `dominfo`.
pub(crate) fn info(it: &DomainInfo) -> DomainGetInfoReply {
    DomainGetInfoReply {
        state: u8::try_from(it.state.number()).unwrap_or_default(),
        max_mem: it.max_memory_kib,
        memory: it.memory_kib,
        nr_virt_cpu: u16::try_from(it.vcpus).unwrap_or(u16::MAX),
        cpu_time: it.cpu_time_ns,
    }
}

/// The host in figures.
pub(crate) fn node_info(it: &NodeInfo) -> NodeGetInfoReply {
    NodeGetInfoReply {
        model: FixedChars::new(&it.model),
        memory: it.memory_kib,
        cpus: signed(it.cpus),
        mhz: signed(it.mhz),
        nodes: signed(it.nodes),
        sockets: signed(it.sockets),
        cores: signed(it.cores),
        threads: signed(it.threads),
    }
}

/// Named values.
pub(crate) fn params(them: &[TypedParam]) -> Vec<types::TypedParam> {
    them.iter().map(param).collect()
}

fn param(it: &TypedParam) -> types::TypedParam {
    use types::TypedValue;
    let value = match &it.value {
        ParamValue::Int(it) => TypedValue::Int(*it),
        ParamValue::Uint(it) => TypedValue::Uint(*it),
        ParamValue::Llong(it) => TypedValue::Llong(*it),
        ParamValue::Ullong(it) => TypedValue::Ullong(*it),
        ParamValue::Double(it) => TypedValue::Double(*it),
        ParamValue::Boolean(it) => TypedValue::Boolean(*it),
        ParamValue::String(it) => TypedValue::String(it.clone()),
    };
    types::TypedParam { field: it.field.clone(), value }
}

/// The job in the old, fixed form; what is not known is 0.
pub(crate) fn job_info(it: &JobInfo) -> DomainGetJobInfoReply {
    let field = |name: &str| {
        let value = it.params.iter().find(|param| param.field == name).map(|param| &param.value);
        match value {
            Some(ParamValue::Ullong(it)) => *it,
            Some(ParamValue::Uint(it)) => u64::from(*it),
            _ => 0,
        }
    };
    DomainGetJobInfoReply {
        r#type: it.kind,
        time_elapsed: it.elapsed_ms,
        time_remaining: field("time_remaining"),
        data_total: field("data_total"),
        data_processed: field("data_processed"),
        data_remaining: field("data_remaining"),
        mem_total: field("memory_total"),
        mem_processed: field("memory_processed"),
        mem_remaining: field("memory_remaining"),
        file_total: field("disk_total"),
        file_processed: field("disk_processed"),
        file_remaining: field("disk_remaining"),
    }
}

/// The job in the open-ended form; nothing where there is no job.
pub(crate) fn job_stats(it: &JobInfo) -> Vec<types::TypedParam> {
    use types::{TypedParam, TypedValue};
    if it.kind == 0 {
        return Vec::new();
    }
    let mut all = vec![
        TypedParam { field: "operation".to_owned(), value: TypedValue::Int(it.operation) },
        TypedParam { field: "time_elapsed".to_owned(), value: TypedValue::Ullong(it.elapsed_ms) },
    ];
    all.extend(it.params.iter().filter(|it| it.field != "operation" && it.field != "time_elapsed").map(param));
    all
}

/// Which CPUs are on line, one bit each, the first CPU in the lowest bit of the first byte.
pub(crate) fn bits(them: &[bool]) -> Vec<u8> {
    them.chunks(8).map(|byte| byte.iter().rev().fold(0, |bits, on| bits << 1 | u8::from(*on))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cpu_is_the_lowest_bit() {
        assert_eq!(bits(&[true, true]), [3]);
        assert_eq!(bits(&[false, true, false, false, false, false, false, false, true]), [2, 1]);
        assert_eq!(bits(&[]), [0_u8; 0]);
    }

    #[test]
    fn an_inactive_domain_has_no_id() {
        let mut it = DomainRef::of_uuid(uuid::Uuid::from_bytes([7; 16]));
        assert_eq!((domain(&it).id, domain(&it).uuid), (-1, [7; 16]));
        it.id = Some(3);
        assert_eq!(domain(&it).id, 3);
    }
}
