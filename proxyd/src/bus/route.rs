//! Which daemon a call on the legacy name is for, by its path, interface and member.

use zbus::message::Header;

use super::Question;

/// Guests and the host they run on.
const HYPERVISOR: &str = "org.libvirt.virtqemud";
/// Networks and their ports, host interfaces, packet filters.
const NETWORK: &str = "org.libvirt.virtnetworkd";
/// Pools, volumes and secrets.
const STORAGE: &str = "org.libvirt.virtstoraged";

/// All daemons; the first is the one for what no other has.
pub(super) const DAEMONS: [&str; 3] = [HYPERVISOR, NETWORK, STORAGE];

/// The object that all daemons have a part of.
const ROOT: &str = "/org/libvirt/QEMU";

/// Where a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// To one daemon.
    To(&'static str),
    /// To all, whose answers make one.
    All(Question),
}

/// Where the call goes.
pub(super) fn of(call: &Header<'_>) -> Route {
    let path = call.path().map_or("", |it| it.as_str());
    let interface = call.interface().map_or("", |it| it.as_str());
    choose(path, interface, call.member().map_or("", |it| it.as_str()))
}

fn choose(path: &str, interface: &str, member: &str) -> Route {
    if path == ROOT {
        return match (interface, member) {
            ("org.freedesktop.DBus.Introspectable", "Introspect") => Route::All(Question::Introspect),
            ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects") => Route::All(Question::ManagedObjects),
            ("org.libvirt.Connect" | "", member) => Route::To(of_member(member)),
            _ => Route::To(HYPERVISOR),
        };
    }
    let folder = path.strip_prefix(ROOT).and_then(|it| it.strip_prefix('/')).and_then(|it| it.split('/').next());
    Route::To(match folder.unwrap_or_default() {
        "network" | "networkport" | "interface" | "nwfilter" => NETWORK,
        "storagepool" | "storagevol" | "secret" => STORAGE,
        _ => HYPERVISOR,
    })
}

/// The daemon that has a method of the root.
fn of_member(member: &str) -> &'static str {
    let object = ["List", "Find", "Get"].iter().find_map(|it| member.strip_prefix(it)).unwrap_or(member);
    let begins = |words: &[&str]| words.iter().any(|it| object.starts_with(it));
    if begins(&["Network", "Interface", "NWFilter"]) {
        NETWORK
    } else if begins(&["StoragePool", "StorageVol", "Secret"]) {
        STORAGE
    } else {
        HYPERVISOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_libvirt_dbus_finds_its_daemon() {
        let connect = |member| choose(ROOT, "org.libvirt.Connect", member);
        for member in ["ListDomains", "GetCapabilities", "NodeGetInfo", "ListNodeDevices", "DomainLookupByName"] {
            assert_eq!(connect(member), Route::To(HYPERVISOR), "{member}");
        }
        for member in ["ListNetworks", "NetworkDefineXML", "ListInterfaces", "InterfaceChangeBegin", "ListNWFilters"] {
            assert_eq!(connect(member), Route::To(NETWORK), "{member}");
        }
        for member in [
            "ListStoragePools",
            "StoragePoolCreateXML",
            "StorageVolLookupByKey",
            "FindStoragePoolSources",
            "GetStoragePoolCapabilities",
            "ListSecrets",
            "SecretLookupByUsage",
        ] {
            assert_eq!(connect(member), Route::To(STORAGE), "{member}");
            assert_eq!(choose(ROOT, "", member), Route::To(STORAGE), "{member}");
        }
    }

    #[test]
    fn objects_belong_to_the_daemon_of_their_folder() {
        let of = |path| choose(path, "org.freedesktop.DBus.Properties", "GetAll");
        for path in ["/", "/org", "/org/libvirt", ROOT, "/org/libvirt/QEMU/domain/_1", "/org/libvirt/QEMUX/network"] {
            assert_eq!(of(path), Route::To(HYPERVISOR), "{path}");
        }
        for path in ["/org/libvirt/QEMU/network", "/org/libvirt/QEMU/network/_1", "/org/libvirt/QEMU/networkport/_1"] {
            assert_eq!(of(path), Route::To(NETWORK), "{path}");
        }
        for path in ["/org/libvirt/QEMU/storagepool/_1", "/org/libvirt/QEMU/storagevol/x", "/org/libvirt/QEMU/secret"] {
            assert_eq!(of(path), Route::To(STORAGE), "{path}");
        }
        let all = choose(ROOT, "org.freedesktop.DBus.Introspectable", "Introspect");
        assert_eq!(all, Route::All(Question::Introspect));
    }
}
