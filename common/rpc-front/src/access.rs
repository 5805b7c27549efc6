//! The access check: made once per call, before its route, from the permissions that the procedure's row names.
//!
//! A read-only connection has the rights that everybody has ([`virtbus_api::access::is_open_to_all`]) and no other;
//! any other connection was let in by its socket and has them all. Whatever a row does not say clearly is refused.

use virtbus_api::access::is_open_to_all;
use virtbus_proto::{Access, Entry};

use crate::error::{Fault, Result};

/// What a read-only connection may do with one procedure; made when the route is.
#[derive(Debug)]
pub(crate) struct Guard {
    entry: &'static Entry,
    open: bool,
    conditions: Vec<Condition>,
}

/// Flags of the call that ask for more than reading.
#[derive(Debug)]
struct Condition {
    mask: u32,
    /// Whether the flags must be set, or must all be missing, for the condition to hold.
    set: bool,
    secure: bool,
}

impl Guard {
    /// The guard of a row.
    pub(crate) fn of(entry: &'static Entry) -> Self {
        let mut it = Self { entry, open: entry.access != Access::Write, conditions: Vec::new() };
        for acl in entry.acl {
            let mut parts = acl.splitn(3, ':');
            let (object, permission) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let right = format!("{object}:{permission}");
            if is_open_to_all(&right) {
                continue;
            }
            let secure = permission == "read_secure";
            match parts.next().map(Condition::mask) {
                Some(Some((mask, set))) => it.conditions.push(Condition { mask, set, secure }),
                // A right without a condition, or with one that is not understood: always needed.
                Some(None) | None => it.open = false,
            }
        }
        it
    }

    /// Whether a read-only connection may call at all.
    /// Refuses, or allows, a call with these arguments. `arguments` are exactly the bytes of the call's arguments;
    /// the flags are their last word, as they are in every row that has conditions (tested).
    pub(crate) fn check(&self, read_only: bool, arguments: &[u8]) -> Result<()> {
        if !read_only {
            return Ok(());
        }
        if !self.open {
            return Err(Fault::read_only(self.entry));
        }
        if self.conditions.is_empty() {
            return Ok(());
        }
        let flags = arguments.last_chunk().map_or(u32::MAX, |it| u32::from_be_bytes(*it));
        match self.conditions.iter().find(|it| (flags & it.mask != 0) == it.set) {
            None => Ok(()),
            Some(it) if it.secure => Err(Fault::secure_flag(self.entry)),
            Some(_) => Err(Fault::read_only(self.entry)),
        }
    }
}

impl Condition {
    /// The bits of a condition (`!A|B`) and whether they must be set; `None` where it is not understood.
    fn mask(text: &str) -> Option<(u32, bool)> {
        let (names, set) = text.strip_prefix('!').map_or((text, true), |names| (names, false));
        names.split('|').map(bit).try_fold(0, |mask, bit| Some(mask | bit?)).map(|mask| (mask, set))
    }
}

/// The flags that rows make rights depend on.
fn bit(name: &str) -> Option<u32> {
    Some(match name {
        "VIR_DOMAIN_AFFECT_LIVE" | "VIR_NETWORK_UPDATE_AFFECT_LIVE" | "VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE" => 1 << 0,
        "VIR_DOMAIN_AFFECT_CONFIG" | "VIR_NETWORK_UPDATE_AFFECT_CONFIG" | "VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG" => {
            1 << 1
        }
        "VIR_DOMAIN_XML_SECURE"
        | "VIR_DOMAIN_SNAPSHOT_XML_SECURE"
        | "VIR_DOMAIN_SAVE_IMAGE_XML_SECURE"
        | "VIR_DOMAIN_CHECKPOINT_XML_SECURE" => 1 << 0,
        "VIR_DOMAIN_XML_MIGRATABLE" => 1 << 3,
        "VIR_DOMAIN_VCPU_GUEST" => 1 << 3,
        "VIR_DOMAIN_REBOOT_GUEST_AGENT" | "VIR_DOMAIN_SHUTDOWN_GUEST_AGENT" => 1 << 1,
        "VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE" => 1 << 6,
        "VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE" => 1 << 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtbus_proto::{
        Procedure, QEMU, REMOTE, Xdr,
        table::{DomainCreate, DomainGetVcpusFlags, DomainGetXmlDesc, DomainInterfaceAddresses},
        testing,
        types::Domain,
    };

    fn rows() -> impl Iterator<Item = &'static Entry> {
        REMOTE.iter().chain(&QEMU).copied().filter(|it| !it.event)
    }

    /// Every row against a read-only connection: what needs more than the open rights is refused, and nothing else.
    #[test]
    fn read_only_connections_have_the_open_rights_alone() {
        let mut refused = 0;
        for entry in rows() {
            let guard = Guard::of(entry);
            let needs_more = entry.acl.iter().any(|acl| acl.matches(':').count() == 1 && !is_open_to_all(acl));
            if needs_more || entry.access == Access::Write {
                refused += 1;
                let fault = guard.check(true, &[]).unwrap_err();
                assert_eq!(fault.message().code, 29, "{}", entry.name);
            }
            assert!(guard.check(false, &[]).is_ok(), "{}", entry.name);
        }
        assert!(refused > 200, "{refused} rows are refused: the table has lost its rights");
    }

    /// The guard reads the flags where the last word is; a row that has them elsewhere must not have conditions.
    #[test]
    fn conditions_stand_on_rows_that_end_with_their_flags() {
        for shape in testing::shapes() {
            if shape.entry.event || Guard::of(shape.entry).conditions.is_empty() {
                continue;
            }
            let bytes = (shape.arguments.sample)(&mut testing::Source::new(1)).unwrap();
            let (text, _) = (shape.arguments.recode)(&bytes).unwrap();
            let last = text.rsplit(", ").next().unwrap();
            assert!(last.starts_with("flags: "), "{}: {text}", shape.entry.name);
        }
    }

    /// A condition that is not understood closes the row; only this one may.
    #[test]
    fn every_condition_is_understood() {
        for entry in rows() {
            let unknown = |acl: &&&str| acl.splitn(3, ':').nth(2).is_some_and(|it| Condition::mask(it).is_none());
            if entry.acl.iter().any(|acl| unknown(&acl)) {
                assert_eq!(entry.number, DomainInterfaceAddresses::NUMBER, "{}", entry.name);
                assert!(!Guard::of(entry).open);
            }
        }
    }

    #[test]
    fn flags_ask_for_more() {
        let guard = Guard::of(DomainGetXmlDesc::ENTRY);
        let bytes = |flags| DomainGetXmlDesc { dom: Domain::default(), flags }.to_bytes().unwrap();
        assert!(guard.check(true, &bytes(0)).is_ok());
        assert!(guard.check(true, &bytes(2)).is_ok());
        for flags in [1, 8, 9] {
            let fault = guard.check(true, &bytes(flags)).unwrap_err();
            let text = "operation forbidden: virDomainGetXMLDesc with secure flag";
            assert_eq!(fault.message().message.as_deref(), Some(text));
            assert!(guard.check(false, &bytes(flags)).is_ok());
        }
        let guard = Guard::of(DomainGetVcpusFlags::ENTRY);
        let bytes = DomainGetVcpusFlags { dom: Domain::default(), flags: 8 }.to_bytes().unwrap();
        assert_eq!(guard.check(true, &bytes).unwrap_err(), Fault::read_only(DomainGetVcpusFlags::ENTRY));
        assert!(Guard::of(DomainCreate::ENTRY).check(true, &[]).is_err());
    }
}
