//! Addresses of devices.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};

use super::{Netlink, Result};

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The device's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// How many bits of it name the network.
    pub prefix: u8,
    /// Whether the kernel still looks for another holder (IPv6).
    pub tentative: bool,
    /// Whether another host was found to hold it (IPv6).
    pub duplicate: bool,
}

impl Netlink {
    /// The addresses of all devices.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let answers = self.list(&Message::GetAddress(AddressMessage::default()));
        let answers = answers.map_err(|fault| fault.named(|| "cannot list the addresses of this host".to_owned()))?;
        Ok(answers.into_iter().filter_map(read).collect())
    }

    /// Gives the device `name` an address, to use at once: the kernel does not look for other holders of an IPv6 address,
    /// which on a bridge without ports would never end. With `broadcast`, an IPv4 address is told its network's broadcast
    /// address.
    ///
    /// # Errors
    /// [`super::Error::exists`] when it has it; no such device.
    pub fn add_address(&mut self, name: &str, address: IpAddr, prefix: u8, broadcast: bool) -> Result<()> {
        let message = self.address_message(name, address, prefix, broadcast)?;
        self.change(Message::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL).map_err(|fault| {
            fault.named(|| format!("cannot give network device '{name}' the address {address}/{prefix}"))
        })
    }

    /// Takes an address from the device `name`. One it does not have is as good as taken.
    ///
    /// # Errors
    /// As the kernel refuses; no such device.
    pub fn delete_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<()> {
        let message = self.address_message(name, address, prefix, false)?;
        match self.change(Message::DelAddress(message), 0) {
            Ok(()) => Ok(()),
            Err(fault) => {
                let error =
                    fault.named(|| format!("cannot take the address {address}/{prefix} from network device '{name}'"));
                if error.is_absent() { Ok(()) } else { Err(error) }
            }
        }
    }

    fn address_message(&mut self, name: &str, address: IpAddr, prefix: u8, broadcast: bool) -> Result<AddressMessage> {
        let mut message = AddressMessage::default();
        message.header.index = self.link(name)?.index;
        message.header.prefix_len = prefix;
        message.header.family = match address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.attributes.push(AddressAttribute::Local(address));
        message.attributes.push(AddressAttribute::Address(address));
        if address.is_ipv6() {
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        if let (IpAddr::V4(address), true) = (address, broadcast && prefix < 31) {
            let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let last = Ipv4Addr::from_bits(address.to_bits() | hosts);
            message.attributes.push(AddressAttribute::Broadcast(last));
        }
        Ok(message)
    }
}

fn read(message: Message) -> Option<Address> {
    let Message::NewAddress(message) = message else { return None };
    let mut local = None;
    let mut peer = None;
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(address),
            AddressAttribute::Address(address) => peer = Some(address),
            AddressAttribute::Flags(all) => flags = all,
            _ => {}
        }
    }
    Some(Address {
        index: message.header.index,
        // On a point-to-point device the other attribute is the peer's; IPv6 has only that one.
        address: local.or(peer)?,
        prefix: message.header.prefix_len,
        tentative: flags.contains(AddressFlags::Tentative),
        duplicate: flags.contains(AddressFlags::Dadfailed),
    })
}
