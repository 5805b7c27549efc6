//! The addresses that a guest has been seen with, without asking the guest.

use virtbus_api::{Error, ErrorCode, Result, hypervisor::InterfaceAddresses};
use virtbus_schema::domain::{Domain, device::interface::Interface};

use super::Shared;

/// The host's table of IPv4 neighbours (proc(5)).
const ARP: &str = "/proc/net/arp";

/// What the DHCP servers of its networks gave it.
pub(super) async fn leased(shared: &Shared, document: &Domain) -> Result<Vec<InterfaceAddresses>> {
    let mut found = Vec::new();
    for card in &document.devices.interfaces {
        let network = card.source.as_ref().and_then(|it| it.network.as_deref());
        let (Some(network), Some(mac)) = (network, mac_of(card)) else { continue };
        let leases = match shared.neighbours.networks.leases(network, &mac).await {
            // A network that has been taken away since has no leases.
            Err(error) if error.code == ErrorCode::NoNetwork => continue,
            leases => leases?,
        };
        if !leases.is_empty() {
            let addresses = leases.into_iter().map(|it| (it.address, it.prefix)).collect();
            found.push(InterfaceAddresses { name: name_of(card), mac: Some(mac), addresses });
        }
    }
    Ok(found)
}

/// What the host has heard on the wire.
pub(super) fn heard_of(document: &Domain) -> Result<Vec<InterfaceAddresses>> {
    let table = std::fs::read_to_string(ARP).map_err(|error| Error::system(format!("cannot read {ARP}"), &error))?;
    Ok(in_table(&table, document))
}

fn in_table(table: &str, document: &Domain) -> Vec<InterfaceAddresses> {
    let mut found = Vec::new();
    for card in &document.devices.interfaces {
        let Some(mac) = mac_of(card) else { continue };
        let mut addresses = Vec::new();
        for line in table.lines().skip(1) {
            // IP address, hardware type, flags, hardware address, mask, device.
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [address, _, _, theirs, ..] = words.as_slice()
                && theirs.eq_ignore_ascii_case(&mac)
                && let Ok(address) = address.parse()
            {
                addresses.push((address, 0));
            }
        }
        if !addresses.is_empty() {
            found.push(InterfaceAddresses { name: name_of(card), mac: Some(mac), addresses });
        }
    }
    found
}

fn mac_of(card: &Interface) -> Option<String> {
    card.mac.as_ref().map(|it| it.address.to_string())
}

fn name_of(card: &Interface) -> String {
    card.target.as_ref().and_then(|it| it.dev.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_told_by_their_address() {
        let document = "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os><devices>\
            <interface type='user'><mac address='52:54:00:00:00:01'/><target dev='vnet0'/></interface>\
            <interface type='user'><mac address='52:54:00:00:00:02'/></interface></devices></domain>";
        let document = Domain::parse(document).expect("a domain");
        let table = "IP address HW type Flags HW address Mask Device\n\
            192.0.2.7 0x1 0x2 52:54:00:00:00:01 * virbr0\n192.0.2.8 0x1 0x0 00:00:00:00:00:00 * virbr0\nrubbish\n";
        let found = in_table(table, &document);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].addresses, [("192.0.2.7".parse().expect("one"), 0)]);
        assert_eq!(found[0].name, "vnet0");
    }
}
