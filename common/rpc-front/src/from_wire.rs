//! What clients send, as the engines' types. Nothing is looked up here, and nothing is done.

use bitflags::Flags;
use uuid::Uuid;
use virtbus_api::{DomainRef, NetworkRef, ParamValue, PoolRef, PortRef, SecretRef, TypedParam, VolumeRef};
use virtbus_proto::{Procedure, types};

use crate::error::{Fault, Result};

/// The domain that a client names; the log line of the call names it too. The id is what the client believes; the UUID
/// decides.
pub(crate) fn domain(it: &types::Domain) -> DomainRef {
    tracing::Span::current().record("domain", it.name.as_str());
    DomainRef { name: it.name.clone(), uuid: Uuid::from_bytes(it.uuid), id: u32::try_from(it.id).ok() }
}

/// The network that a client names, likewise.
pub(crate) fn network(it: &types::Network) -> NetworkRef {
    tracing::Span::current().record("object", it.name.as_str());
    NetworkRef { name: it.name.clone(), uuid: Uuid::from_bytes(it.uuid) }
}

/// The port of a network that a client names.
pub(crate) fn port(it: &types::NetworkPort) -> PortRef {
    PortRef { network: network(&it.net), uuid: Uuid::from_bytes(it.uuid) }
}

/// The pool that a client names, likewise.
pub(crate) fn pool(it: &types::StoragePool) -> PoolRef {
    tracing::Span::current().record("object", it.name.as_str());
    PoolRef { name: it.name.clone(), uuid: Uuid::from_bytes(it.uuid) }
}

/// The volume that a client names: by pool and name; the key is what the client believes.
pub(crate) fn volume(it: &types::StorageVol) -> VolumeRef {
    tracing::Span::current().record("object", tracing::field::display(format_args!("{}/{}", it.pool, it.name)));
    VolumeRef { pool: it.pool.clone(), name: it.name.clone(), key: it.key.clone() }
}

/// The secret that a client names, likewise.
pub(crate) fn secret(it: &types::Secret) -> SecretRef {
    let uuid = Uuid::from_bytes(it.uuid);
    tracing::Span::current().record("object", tracing::field::display(uuid));
    SecretRef { uuid, usage_type: it.usage_type, usage_id: it.usage_id.clone() }
}

/// Named values.
pub(crate) fn params(them: Vec<types::TypedParam>) -> Vec<TypedParam> {
    use types::TypedValue;
    let value = |it| match it {
        TypedValue::Int(it) => ParamValue::Int(it),
        TypedValue::Uint(it) => ParamValue::Uint(it),
        TypedValue::Llong(it) => ParamValue::Llong(it),
        TypedValue::Ullong(it) => ParamValue::Ullong(it),
        TypedValue::Double(it) => ParamValue::Double(it),
        TypedValue::Boolean(it) => ParamValue::Boolean(it),
        TypedValue::String(it) => ParamValue::String(it),
    };
    them.into_iter().map(|it| TypedParam::new(it.field, value(it.value))).collect()
}

/// The flags of call `args`, refused where a bit is none of `F`'s.
pub(crate) fn flags<P: Procedure, F: Flags<Bits = u32>>(_args: &P, bits: u32) -> Result<F> {
    match bits & !F::all().bits() {
        0 => Ok(F::from_bits_retain(bits)),
        unknown => Err(Fault::flags(P::ENTRY, unknown)),
    }
}

/// For calls that have no flags yet.
pub(crate) fn no_flags<P: Procedure>(_args: &P, bits: u32) -> Result<()> {
    if bits == 0 { Ok(()) } else { Err(Fault::flags(P::ENTRY, bits)) }
}

/// Room for results that the client claims to have, refused where it is negative or over the row's limit. The
/// reference's names stand in the texts.
pub(crate) fn room(claimed: i32, name: &str, limit: usize, limit_name: &str) -> Result<usize> {
    match usize::try_from(claimed) {
        Err(_) => Err(Fault::protocol(format!("{name} must be non-negative"))),
        Ok(room) if room > limit => Err(Fault::protocol(format!("{name} > {limit_name}"))),
        Ok(room) => Ok(room),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtbus_api::flags::StartFlags;
    use virtbus_proto::table::DomainCreateWithFlags;

    #[test]
    fn unknown_bits_are_refused_by_name() {
        let args = DomainCreateWithFlags::default();
        assert_eq!(flags(&args, 3), Ok(StartFlags::PAUSED | StartFlags::AUTODESTROY));
        let fault = flags::<_, StartFlags>(&args, 0x1001).unwrap_err();
        let text = "unsupported flags (0x1000) in function virDomainCreateWithFlags";
        assert_eq!(fault.message().message.as_deref(), Some(text));
        assert!(no_flags(&args, 0).is_ok());
        assert!(no_flags(&args, 1).is_err());
    }

    #[test]
    fn room_is_bounded() {
        assert_eq!(room(5, "maxids", 10, "LIMIT"), Ok(5));
        let text = |claimed| room(claimed, "maxids", 10, "LIMIT").unwrap_err().into_message().message.unwrap();
        assert_eq!(text(-1), "maxids must be non-negative");
        assert_eq!(text(11), "maxids > LIMIT");
    }
}
