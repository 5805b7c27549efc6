//! Virtual functions of network hardware, as the driver of the whole sees them: the address and the VLAN that each is held to,
//! whoever has it.

use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkMessage, LinkVfInfo, VfInfo, VfInfoMac, VfInfoVlan,
};

use super::link::by_name;
use super::{Error, Netlink, Result};

/// What a virtual function is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VirtualFunction {
    /// Its hardware address; zeros until one was chosen.
    pub mac: [u8; 6],
    /// Its VLAN; 0 is none.
    pub vlan: u16,
}

impl Netlink {
    /// The virtual function `number` of the hardware `name`.
    ///
    /// # Errors
    /// [`Error::is_absent`] when the hardware or its driver does not have it.
    pub fn virtual_function(&mut self, name: &str, number: u32) -> Result<VirtualFunction> {
        let failed = || format!("cannot find virtual function {number} of network device '{name}'");
        let mut message = by_name(name);
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::Vf]));
        let answers = self.ask(Message::GetLink(message)).map_err(|fault| fault.named(failed))?;
        answers.into_iter().find_map(|it| read(it, number)).ok_or_else(|| Error {
            what: failed(),
            explained: None,
            source: std::io::Error::from_raw_os_error(libc::ENODEV),
        })
    }

    /// Holds the virtual function `number` of the hardware `name` to an address.
    ///
    /// # Errors
    /// As its driver refuses.
    pub fn set_function_mac(&mut self, name: &str, number: u32, mac: [u8; 6]) -> Result<()> {
        let message = about(name, VfInfo::Mac(VfInfoMac::new(number, &mac)));
        self.set(message, || {
            format!("cannot set the MAC address of virtual function {number} of network device '{name}'")
        })
    }

    /// Holds the virtual function `number` of the hardware `name` to a VLAN; 0 is none.
    ///
    /// # Errors
    /// As its driver refuses.
    pub fn set_function_vlan(&mut self, name: &str, number: u32, vlan: u16) -> Result<()> {
        let message = about(name, VfInfo::Vlan(VfInfoVlan::new(number, u32::from(vlan), 0)));
        self.set(message, || format!("cannot set VLAN {vlan} of virtual function {number} of network device '{name}'"))
    }
}

fn about(name: &str, info: VfInfo) -> LinkMessage {
    let mut message = by_name(name);
    message.attributes.push(LinkAttribute::VfInfoList(vec![LinkVfInfo(vec![info])]));
    message
}

fn read(message: Message, number: u32) -> Option<VirtualFunction> {
    let Message::NewLink(message) = message else { return None };
    let functions = message.attributes.into_iter().find_map(|it| match it {
        LinkAttribute::VfInfoList(functions) => Some(functions),
        _ => None,
    })?;
    functions.into_iter().find_map(|LinkVfInfo(infos)| {
        let mut function = None;
        for info in infos {
            match info {
                VfInfo::Mac(it) if it.vf_id == number => {
                    let mac = it.mac.first_chunk().copied().unwrap_or_default();
                    function.get_or_insert(VirtualFunction::default()).mac = mac;
                }
                VfInfo::Vlan(it) if it.vf_id == number => {
                    let vlan = u16::try_from(it.vlan_id).unwrap_or_default();
                    function.get_or_insert(VirtualFunction::default()).vlan = vlan;
                }
                _ => {}
            }
        }
        function
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_is_read() {
        let info = |number: u32, last: u8, vlan: u32| {
            let mac = VfInfoMac::new(number, &[2, 0, 0, 0, 0, last]);
            LinkVfInfo(vec![VfInfo::Mac(mac), VfInfo::Vlan(VfInfoVlan::new(number, vlan, 0))])
        };
        let mut message = by_name("eth0");
        message.attributes.push(LinkAttribute::VfInfoList(vec![info(0, 1, 0), info(1, 2, 42)]));
        let message = Message::NewLink(message);
        let found = read(message.clone(), 1);
        assert_eq!(found, Some(VirtualFunction { mac: [2, 0, 0, 0, 0, 2], vlan: 42 }));
        assert_eq!(read(message, 2), None);
    }
}
