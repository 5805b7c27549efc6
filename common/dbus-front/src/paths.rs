//! Object paths: the path of an object, and what its last element says.
//!
//! They are libvirt-dbus's (observed on 1.4.1); ports, which it lacks, are named like the rest.

use uuid::Uuid;
use virtbus_api::{PortRef, VolumeRef};
use zbus::{ObjectPath, OwnedObjectPath};

/// Where the objects are.
pub const ROOT: &str = "/org/libvirt/QEMU";

/// The folder of the domains.
pub const DOMAINS: &str = "domain";
/// The folder of the networks.
pub const NETWORKS: &str = "network";
/// The folder of the networks' ports.
pub const PORTS: &str = "networkport";
/// The folder of the pools.
pub const POOLS: &str = "storagepool";
/// The folder of the volumes.
pub const VOLUMES: &str = "storagevol";
/// The folder of the secrets.
pub const SECRETS: &str = "secret";

/// The path of an object in a folder. The name is of letters, digits and underscores.
pub fn below(folder: &str, name: &str) -> OwnedObjectPath {
    ObjectPath::from_string_unchecked(format!("{ROOT}/{folder}/{name}")).into()
}

/// The last element of a path that is a UUID: with `-` as `_`, behind a `_`.
pub fn uuid_name(uuid: Uuid) -> String {
    format!("_{}", uuid.hyphenated().to_string().replace('-', "_"))
}

/// The UUID of such an element.
pub fn uuid_of(name: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(&name.strip_prefix('_')?.replace('_', "-")).ok()?;
    // Other spellings of the UUID are other paths.
    (uuid_name(uuid) == name).then_some(uuid)
}

/// The path of a domain.
pub fn domain(uuid: Uuid) -> OwnedObjectPath {
    below(DOMAINS, &uuid_name(uuid))
}

/// The path of a network.
pub fn network(uuid: Uuid) -> OwnedObjectPath {
    below(NETWORKS, &uuid_name(uuid))
}

/// The path of a port.
pub fn port(port: &PortRef) -> OwnedObjectPath {
    below(PORTS, &port_name(port.network.uuid, port.uuid))
}

/// The path of a pool.
pub fn pool(uuid: Uuid) -> OwnedObjectPath {
    below(POOLS, &uuid_name(uuid))
}

/// The path of a volume.
pub fn volume(volume: &VolumeRef) -> OwnedObjectPath {
    below(VOLUMES, &key_name(&volume.key))
}

/// The path of a secret.
pub fn secret(uuid: Uuid) -> OwnedObjectPath {
    below(SECRETS, &uuid_name(uuid))
}

/// The last element of a port's path: its network's UUID and its own.
pub fn port_name(network: Uuid, port: Uuid) -> String {
    uuid_name(network) + &uuid_name(port)
}

/// The UUIDs of a network and its port.
pub fn port_of(name: &str) -> Option<(Uuid, Uuid)> {
    let (network, port) = name.split_at_checked(uuid_name(Uuid::nil()).len())?;
    Some((uuid_of(network)?, uuid_of(port)?))
}

/// The last element of a volume's path: its key, with every byte but letters and digits as `_` and two hexadecimal
/// digits.
pub fn key_name(key: &str) -> String {
    key.bytes().fold(String::with_capacity(key.len()), |mut name, byte| {
        if byte.is_ascii_alphanumeric() {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
        name
    })
}

/// The key of such an element.
pub fn key_of(name: &str) -> Option<String> {
    let mut key = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'_' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            key.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            key.push(byte);
        }
    }
    let key = String::from_utf8(key).ok()?;
    (!key.is_empty() && key_name(&key) == name).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_uuids_round_trip() {
        let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(domain(uuid).as_str(), "/org/libvirt/QEMU/domain/_01234567_89ab_cdef_0123_456789abcdef");
        assert_eq!(uuid_of("_01234567_89ab_cdef_0123_456789abcdef"), Some(uuid));
        for wrong in ["", "_", "x", "01234567_89ab_cdef_0123_456789abcdef", "_0123456789abcdef0123456789abcdef"] {
            assert_eq!(uuid_of(wrong), None, "{wrong}");
        }
        let other = Uuid::from_u128(7);
        assert_eq!(port_of(&port_name(uuid, other)), Some((uuid, other)));
        assert_eq!(port_of("_é"), None);
    }

    #[test]
    fn volumes_have_the_paths_that_libvirt_dbus_gives_them() {
        let observed = [
            ("/default-pool/ab.img", "_2fdefault_2dpool_2fab_2eimg"),
            ("/default-pool/a+/ b?\u{ff}\u{e9}.img", "_2fdefault_2dpool_2fa_2b_2f_20b_3f_c3_bf_c3_a9_2eimg"),
        ];
        for (key, name) in observed {
            assert_eq!(key_name(key), name);
            assert_eq!(key_of(name).as_deref(), Some(key));
        }
        for wrong in ["", "_", "_2", "_2F", "_zz", "_ff", "_61", "_+1", "é"] {
            assert_eq!(key_of(wrong), None, "{wrong}");
        }
    }
}
