//! The host finds guests by name: libnss_libvirt, unmodified, reads what the network daemon leaves for it.

use std::path::Path;

use virtbus_tests::host::{Host, said};

/// What glibc asks for guests' names.
const MODULES: [&str; 2] = ["libnss_libvirt.so.2", "libnss_libvirt_guest.so.2"];

#[test]
fn the_host_finds_guests_by_name() {
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/lib64"];
    let has = |module: &&str| places.iter().any(|place| Path::new(place).join(module).exists());
    if !MODULES.iter().all(has) {
        eprintln!("SKIPPED: {} are not installed; `cargo xtask setup` installs libnss-libvirt", MODULES.join(" and "));
        return;
    }
    let host = Host::new();
    // A lease by its name, and a guest by its domain's, as the network daemon writes them.
    let lease = "[ { \"ip-address\": \"10.55.0.2\", \"mac-address\": \"52:54:00:55:00:09\", \"hostname\": \"leased\", \
                 \"expiry-time\": 4102444800 } ]";
    host.write("/run/nsswitch", "hosts: libvirt libvirt_guest\n");
    let network = "<network><name>names</name><bridge name='virbr55'/><mac address='52:54:00:55:00:01'/>\
        <ip address='10.55.0.1' netmask='255.255.255.0'><dhcp><range start='10.55.0.2' end='10.55.0.9'/></dhcp></ip></network>";
    let port = "<networkport><owner><name>myguest</name><uuid>12345678-1234-1234-1234-123456789012</uuid></owner>\
        <uuid>12345678-1234-1234-1234-123456789013</uuid><mac address='52:54:00:55:00:09'/></networkport>";
    host.write("/run/network.xml", network);
    host.write("/run/port.xml", port);
    // A network of its own for the daemon, and names asked for by this module alone.
    let script = "ip link set lo up; mount -t sysfs sysfs /sys; mount --bind /run/nsswitch /etc/nsswitch.conf; \
        /run/programs/virtnetworkd & \
        for i in $(seq 200); do [ -S /run/libvirt/virtnetworkd-sock ] && break; sleep 0.1; done; \
        virsh='virsh -q -c network+unix:///system?socket=/run/libvirt/virtnetworkd-sock'; \
        $virsh net-create /run/network.xml; $virsh net-port-create names /run/port.xml; \
        cat /run/lease > /var/lib/libvirt/dnsmasq/virbr55.status; \
        getent hosts leased; getent hosts myguest; getent hosts nobody; echo $?; \
        $virsh net-destroy names; kill %1; wait";
    host.write("/run/lease", lease);
    let told = said(host.command("unshare").args(["--net", "--mount", "bash", "-c", script])).unwrap();
    let words: Vec<Vec<&str>> = told.lines().map(|it| it.split_whitespace().collect()).collect();
    assert!(words.contains(&vec!["10.55.0.2", "leased"]), "{told}");
    assert!(words.contains(&vec!["10.55.0.2", "myguest"]), "{told}");
    assert!(words.contains(&vec!["2"]), "{told}");
}
