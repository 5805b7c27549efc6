//! The demo's networks and guests.

use crate::guest::{self, Guest};

/// A network behind NAT, whose host has the address `router` (of a /24).
pub(super) fn nat(name: &str, router: &str) -> String {
    network(name, "<forward mode='nat'/>", router)
}

/// A network that ends at its bridge.
pub(super) fn isolated(name: &str) -> String {
    network(name, "", "192.168.151.1")
}

fn network(name: &str, forward: &str, router: &str) -> String {
    let net = router.rsplit_once('.').map_or(router, |it| it.0);
    format!(
        "<network>
  <name>{name}</name>
  {forward}
  <domain name='{name}.test' localOnly='yes'/>
  <ip address='{router}' netmask='255.255.255.0'>
    <dhcp><range start='{net}.10' end='{net}.99'/></dhcp>
  </ip>
</network>
"
    )
}

/// A guest on the volume of its name in the pool.
pub(super) fn domain(name: &str, guest: &Guest, pool: &str, network: Option<&str>) -> String {
    let interface = match network {
        Some(network) => {
            format!("<interface type='network'><source network='{network}'/><model type='virtio'/></interface>")
        }
        None => "<interface type='user'><model type='virtio'/></interface>".to_owned(),
    };
    format!(
        "<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{}</kernel>
    <initrd>{}</initrd>
    <cmdline>{} hostname={name}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <disk type='volume' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source pool='{pool}' volume='{name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    {interface}
    <serial type='pty'/>
    <console type='pty'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
",
        guest.kernel.display(),
        guest.initrd.display(),
        guest::CMDLINE,
    )
}
