//! Object paths: which object a path names and the path of an object.

use uuid::Uuid;
use zbus::{ObjectPath, OwnedObjectPath};

/// Where the hypervisor's objects are.
pub const ROOT: &str = "/org/libvirt/QEMU";

/// Where the domains are.
pub const DOMAINS: &str = "/org/libvirt/QEMU/domain";

/// The last element of a domain's path: its UUID with `-` as `_`, behind a `_`.
pub fn domain_name(uuid: Uuid) -> String {
    format!("_{}", uuid.hyphenated().to_string().replace('-', "_"))
}

/// The path of a domain.
pub fn domain(uuid: Uuid) -> OwnedObjectPath {
    // Hexadecimal digits and underscores make a valid path element.
    ObjectPath::from_string_unchecked(format!("{DOMAINS}/{}", domain_name(uuid))).into()
}

/// The UUID of a domain's path.
pub fn domain_uuid(path: &str) -> Option<Uuid> {
    let name = path.strip_prefix(ROOT)?.strip_prefix("/domain/_")?;
    Uuid::try_parse(&name.replace('_', "-")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_paths_round_trip() {
        let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let path = domain(uuid);
        assert_eq!(path.as_str(), "/org/libvirt/QEMU/domain/_01234567_89ab_cdef_0123_456789abcdef");
        assert_eq!(domain_uuid(path.as_str()), Some(uuid));
        assert_eq!(domain_uuid("/org/libvirt/QEMU/domain/x"), None);
        assert_eq!(domain_uuid("/org/libvirt/LXC/domain/_0"), None);
    }
}
