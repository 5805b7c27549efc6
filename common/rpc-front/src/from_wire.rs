//! What clients send, as the engines' types. Nothing is looked up here, and nothing is done.

use bitflags::Flags;
use uuid::Uuid;
use virtbus_api::DomainRef;
use virtbus_proto::{Procedure, types};

use crate::error::{Fault, Result};

/// The domain that a client names; the log line of the call names it too. The id is what the client believes; the UUID
/// decides.
pub(crate) fn domain(it: &types::Domain) -> DomainRef {
    tracing::Span::current().record("domain", it.name.as_str());
    DomainRef { name: it.name.clone(), uuid: Uuid::from_bytes(it.uuid), id: u32::try_from(it.id).ok() }
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
