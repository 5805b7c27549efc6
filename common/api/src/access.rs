//! Who may do what: the rights of libvirt's access control and the one rule both fronts apply.
//!
//! A right is written `object:permission`, as the procedure table has it (`domain:start`). Without a policy engine the
//! rule is the one libvirt's polkit actions ship with: reading is for everybody, all else for the daemon's own user
//! and root.

use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user, as the kernel or the bus vouches for it.
    pub uid: u32,
    /// The process, where known.
    pub pid: Option<u32>,
}

/// Whether the right is one of those that everybody has: `getattr`, `read` and the `search_*` family
/// (libvirt 11.3's polkit actions with `allow_any` yes).
pub fn is_open_to_all(right: &str) -> bool {
    right.split_once(':').is_some_and(|(_, permission)| {
        let permission = permission.split(':').next().unwrap_or(permission);
        matches!(permission, "getattr" | "read") || permission.starts_with("search")
    })
}

/// Allows or refuses a call with `ACCESS_DENIED`; `own_uid` is the daemon's user.
pub fn check(caller: &Caller, own_uid: u32, right: &str) -> Result<()> {
    if caller.uid == 0 || caller.uid == own_uid || is_open_to_all(right) {
        return Ok(());
    }
    let detail = format!("user {} lacks the right {right}; it is root's and the daemon's own user's", caller.uid);
    Err(Error::new(ErrorCode::AccessDenied, detail).in_domain(ErrorDomain::Access))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_for_all_and_writing_is_not() {
        let stranger = Caller { uid: 1000, pid: None };
        for right in ["domain:read", "connect:getattr", "connect:search_domains"] {
            assert!(check(&stranger, 0, right).is_ok(), "{right}");
        }
        for right in ["domain:start", "domain:read_secure", "domain:write", "connect:write", "start"] {
            assert!(check(&stranger, 0, right).is_err(), "{right}");
            assert!(check(&stranger, 1000, right).is_ok(), "{right}");
            assert!(check(&Caller { uid: 0, pid: None }, 1000, right).is_ok(), "{right}");
        }
    }
}
