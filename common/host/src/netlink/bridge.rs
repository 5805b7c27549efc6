//! Bridges, and how their ports treat what passes.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{
    AfSpecBridge, BridgeStpState, BridgeVlanInfo, BridgeVlanInfoFlags, InfoBridge, InfoBridgePort, InfoData, InfoKind,
    InfoPortData, InfoPortKind, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};

use super::link::by_name;
use super::{Netlink, Result};

/// How a bridge is to be. What is `None` stays as it is, or as the kernel makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bridge {
    /// Its hardware address. Without one it takes its lowest port's and changes with them.
    pub mac: Option<[u8; 6]>,
    /// Its largest frame, in bytes. Without one it takes its ports' smallest.
    pub mtu: Option<u32>,
    /// Whether it speaks the spanning tree protocol.
    pub stp: Option<bool>,
    /// How long a new port waits before it forwards, in milliseconds; the kernel allows 2 to 30 s with the protocol on.
    pub forward_delay: Option<u32>,
    /// Whether ports see only the VLANs they are members of.
    pub vlan_filtering: Option<bool>,
}

/// How a port of a bridge is to be. What is `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Port {
    /// Whether it reaches only ports that are not isolated.
    pub isolated: Option<bool>,
    /// Whether the bridge learns addresses from it.
    pub learning: Option<bool>,
    /// Whether it gets frames for addresses nobody has learned.
    pub unicast_flood: Option<bool>,
    /// Whether it gets multicast frames nobody asked for.
    pub multicast_flood: Option<bool>,
}

/// A port's membership of a VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// The VLAN, 1 to 4094.
    pub id: u16,
    /// Whether untagged frames from the port are of this VLAN.
    pub native: bool,
    /// Whether its frames leave through the port without tag.
    pub untagged: bool,
}

impl Netlink {
    /// Makes a bridge, which is down and has no ports.
    ///
    /// # Errors
    /// [`super::Error::exists`] when a device has that name; as the kernel refuses the rest.
    pub fn add_bridge(&mut self, name: &str, bridge: &Bridge) -> Result<()> {
        self.add(bridge_message(name, bridge), || format!("cannot create bridge '{name}'"))
    }

    /// Changes a bridge.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn set_bridge(&mut self, name: &str, bridge: &Bridge) -> Result<()> {
        self.set(bridge_message(name, bridge), || format!("cannot change bridge '{name}'"))
    }

    /// Changes how a bridge treats its port `name`.
    ///
    /// # Errors
    /// As the kernel refuses: `name` must belong to a bridge.
    pub fn set_port(&mut self, name: &str, port: &Port) -> Result<()> {
        let data = [
            port.isolated.map(InfoBridgePort::Isolated),
            port.learning.map(InfoBridgePort::Learning),
            port.unicast_flood.map(InfoBridgePort::UnicastFlood),
            port.multicast_flood.map(InfoBridgePort::MulticastFlood),
        ];
        let data: Vec<InfoBridgePort> = data.into_iter().flatten().collect();
        if data.is_empty() {
            return Ok(());
        }
        let mut message = by_name(name);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(data)),
        ]));
        self.set(message, || format!("cannot change bridge port '{name}'"))
    }

    /// Makes the port `name` a member of a VLAN.
    ///
    /// # Errors
    /// As the kernel refuses: the kernel and the bridge must filter by VLAN.
    pub fn add_vlan(&mut self, name: &str, vlan: Vlan) -> Result<()> {
        let message = self.vlan_message(name, vlan)?;
        let failed = || format!("cannot make bridge port '{name}' a member of VLAN {}", vlan.id);
        self.change(Message::SetLink(message), 0).map_err(|fault| fault.named(failed))
    }

    /// Ends the membership of the port `name` in a VLAN.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn delete_vlan(&mut self, name: &str, id: u16) -> Result<()> {
        let message = self.vlan_message(name, Vlan { id, native: false, untagged: false })?;
        let failed = || format!("cannot end the membership of bridge port '{name}' in VLAN {id}");
        self.change(Message::DelLink(message), 0).map_err(|fault| fault.named(failed))
    }

    /// Enters in the bridge's table that `mac` is behind its port `name`, for as long as that is a port.
    ///
    /// # Errors
    /// As the kernel refuses: `name` must belong to a bridge.
    pub fn add_to_table(&mut self, name: &str, mac: [u8; 6]) -> Result<()> {
        let message = self.table_message(name, mac)?;
        self.change(Message::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(|fault| fault.named(|| format!("cannot enter a MAC address of bridge port '{name}'")))
    }

    /// Strikes `mac` behind the port `name` out of the bridge's table. One that is not there is as good.
    ///
    /// # Errors
    /// As the kernel refuses.
    pub fn delete_from_table(&mut self, name: &str, mac: [u8; 6]) -> Result<()> {
        let message = self.table_message(name, mac)?;
        match self.change(Message::DelNeighbour(message), 0) {
            Ok(()) => Ok(()),
            Err(fault) => {
                let error = fault.named(|| format!("cannot strike out a MAC address of bridge port '{name}'"));
                if error.is_absent() { Ok(()) } else { Err(error) }
            }
        }
    }

    fn table_message(&mut self, name: &str, mac: [u8; 6]) -> Result<NeighbourMessage> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = self.link(name)?.index;
        // An entry of the administrator's that does not age, but moves nothing of the host's own.
        message.header.state = NeighbourState::Noarp;
        message.header.flags = NeighbourFlags::Controller;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        Ok(message)
    }

    /// Requests of the bridge family name the device by number only.
    fn vlan_message(&mut self, name: &str, vlan: Vlan) -> Result<LinkMessage> {
        let mut flags = BridgeVlanInfoFlags::empty();
        flags.set(BridgeVlanInfoFlags::Pvid, vlan.native);
        flags.set(BridgeVlanInfoFlags::Untagged, vlan.untagged);
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Bridge;
        message.header.index = self.link(name)?.index;
        let info = BridgeVlanInfo { flags, vid: vlan.id };
        message.attributes.push(LinkAttribute::AfSpecBridge(vec![AfSpecBridge::VlanInfo(info)]));
        Ok(message)
    }
}

fn bridge_message(name: &str, bridge: &Bridge) -> LinkMessage {
    let mut message = by_name(name);
    if let Some(mac) = bridge.mac {
        message.attributes.push(LinkAttribute::Address(mac.to_vec()));
    }
    if let Some(mtu) = bridge.mtu {
        message.attributes.push(LinkAttribute::Mtu(mtu));
    }
    let stp = |on| if on { BridgeStpState::KernelStp } else { BridgeStpState::Disabled };
    let data = [
        // The kernel counts in hundredths of a second.
        bridge.forward_delay.map(|milliseconds| InfoBridge::ForwardDelay(milliseconds / 10)),
        bridge.stp.map(|on| InfoBridge::StpState(stp(on))),
        bridge.vlan_filtering.map(InfoBridge::VlanFiltering),
    ];
    let data: Vec<InfoBridge> = data.into_iter().flatten().collect();
    message
        .attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(InfoData::Bridge(data))]));
    message
}
