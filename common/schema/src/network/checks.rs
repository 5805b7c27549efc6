//! What the parts of a network say about each other: completed where one implies another, refused where they contradict.
//! Each rule was observed on the reference; none needs the host.

use virtbus_xml::{Error, ErrorKind, Node, OnOff, YesNo};

use super::{
    Bridge, DnsmasqOption, ForwardMode, Network, VirtualPortKind, check_bandwidth, check_virtual_port, complete_vlan,
};

type Checked = Result<(), Error>;

/// What is said of a network without a name.
pub(super) const NAMELESS: &str = "missing name information";

impl DnsmasqOption {
    pub(super) fn check(node: Node<'_>) -> Checked {
        match node.attr("value") {
            Some(_) => Ok(()),
            None => Err(node.error(ErrorKind::Internal, "an option without a value")),
        }
    }
}

impl Network {
    /// The reference's schema is about elements in no namespace.
    pub(super) fn check_root(node: Node<'_>) -> Checked {
        if node.namespace().is_some() {
            return Err(node.error(ErrorKind::Unknown, "the document is in a foreign namespace"));
        }
        super::forms::network(node)
    }

    /// What is said first when nothing else is right either.
    pub(super) fn check_identity(node: Node<'_>) -> Checked {
        // Names without a prefix are in no namespace to the reference; a document in a default one has none of its elements.
        if node.child("name").is_none_or(|it| it.namespace().is_some() || it.text().is_empty()) {
            return Err(node.error(ErrorKind::NoName, NAMELESS));
        }
        match node.child("name").filter(|it| it.text().contains('/')) {
            Some(name) => Err(name.error(ErrorKind::Conflict, format!("name {} contains '/'", name.text()))),
            None => Ok(()),
        }
    }

    pub(super) fn check(&mut self, node: Node<'_>) -> Checked {
        if self.name.contains('\n') {
            return Err(node.error(ErrorKind::Conflict, "a line break in the name"));
        }
        if self.title.as_ref().is_some_and(|it| it.contains('\n')) {
            return Err(node.error(ErrorKind::BadValue, "the title contains a line break"));
        }
        if let Some(mac) = self.mac.filter(|it| it.is_multicast()) {
            return Err(node.error(ErrorKind::BadValue, format!("{mac} is a multicast address")));
        }
        self.mtu = self.mtu.filter(|it| *it > 0);
        if self.forward.as_ref().is_some_and(|it| it.mode == ForwardMode::None) {
            self.forward = None;
        }
        complete_vlan(&mut self.vlan, node)?;
        check_bandwidth(&mut self.bandwidth, false, node)?;
        check_virtual_port(&mut self.virtual_port, true, node)?;
        self.check_forward(node)?;
        self.complete_bridge(node)?;
        self.check_foreign(node)?;
        self.check_gateways(node)?;
        self.check_dhcp(node)?;
        self.check_portgroups(node)?;
        self.check_vlans(node)
    }

    fn check_forward(&self, node: Node<'_>) -> Checked {
        let bad = |message: &str| Err(node.error(ErrorKind::BadValue, message));
        let interfaces = self.forward.as_ref().map_or(0, |it| it.interfaces.len());
        match self.mode() {
            ForwardMode::Nat | ForwardMode::Route if self.ips.is_empty() => {
                bad("forwarding needs an <ip> to forward from")
            }
            ForwardMode::Nat | ForwardMode::Route if interfaces > 1 => bad("forwarding takes one interface only"),
            ForwardMode::Open if interfaces > 0 => bad("mode='open' forwards through any interface"),
            _ => Ok(()),
        }
    }

    /// Our own bridge says everything; a host's bridge may have nothing but a name.
    fn complete_bridge(&mut self, node: Node<'_>) -> Checked {
        let mode = self.mode();
        if mode.has_own_bridge() {
            let bridge = self.bridge.get_or_insert_default();
            bridge.stp.get_or_insert(OnOff::On);
            bridge.delay.get_or_insert(0);
            return Ok(());
        }
        let bad = |message: String| Err(node.error(ErrorKind::BadValue, message));
        if self.mtu.is_some() {
            return bad(format!("an MTU is not for mode='{mode}'"));
        }
        let Some(bridge) = &mut self.bridge else { return Ok(()) };
        let said_stp = node.child("bridge").is_some_and(|it| it.attr("stp").is_some());
        if said_stp || bridge.delay.is_some_and(|it| it > 0) || bridge.zone.is_some() {
            return bad(format!("stp, delay and zone of a bridge are not for mode='{mode}'"));
        }
        bridge.delay = None;
        if bridge.name.is_some() {
            if mode != ForwardMode::Bridge {
                return bad(format!("a bridge is not for mode='{mode}'"));
            }
            if self.forward.as_ref().is_some_and(|it| !it.interfaces.is_empty() || it.pf.is_some()) {
                return bad("either a bridge or a device to forward to, not both".to_owned());
            }
        }
        if *bridge == Bridge::default() {
            self.bridge = None;
        }
        Ok(())
    }

    /// What only a network with a bridge of its own can have.
    fn check_foreign(&self, node: Node<'_>) -> Checked {
        let mode = self.mode();
        if mode.has_own_bridge() {
            return Ok(());
        }
        let said = [
            ("mac", self.mac.is_some()),
            ("ip", !self.ips.is_empty()),
            ("dns", self.dns.as_ref().is_some_and(super::Dns::has_records)),
            ("domain", self.domain.is_some()),
            ("bandwidth", self.bandwidth.is_some() && (mode != ForwardMode::Bridge || self.bridge_name().is_none())),
        ];
        match said.into_iter().find(|(_, is_said)| *is_said) {
            Some((name, _)) => Err(node.error(ErrorKind::Unsupported, format!("<{name}> is not for mode='{mode}'"))),
            None => Ok(()),
        }
    }

    fn check_gateways(&self, node: Node<'_>) -> Checked {
        for route in &self.routes {
            if !self.ips.iter().any(|it| it.contains(route.gateway)) {
                let message = format!("gateway {} is in no network of this one", route.gateway);
                return Err(node.error(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }

    fn check_dhcp(&self, node: Node<'_>) -> Checked {
        for is_v6 in [false, true] {
            let served = self.ips.iter().filter(|it| it.address.is_ipv6() == is_v6 && it.dhcp.is_some());
            if served.count() > 1 {
                return Err(node.error(ErrorKind::Unsupported, "one address of each family can have DHCP"));
            }
        }
        Ok(())
    }

    fn check_portgroups(&self, node: Node<'_>) -> Checked {
        let bad = |message: String| Err(node.error(ErrorKind::Unsupported, message));
        for (at, group) in self.portgroups.iter().enumerate() {
            if self.portgroups.iter().take(at).any(|it| it.name == group.name) {
                return bad(format!("portgroup {} is there twice", group.name));
            }
        }
        let mut defaults = self.portgroups.iter().filter(|it| it.is_default == Some(YesNo::Yes));
        match (defaults.next(), defaults.next()) {
            (Some(a), Some(b)) => bad(format!("portgroups {} and {} are both the default", a.name, b.name)),
            _ => Ok(()),
        }
    }

    /// VLAN tags need something that sets them: a bridge of the host, a device handed through, or Open vSwitch.
    fn check_vlans(&self, node: Node<'_>) -> Checked {
        let mode = self.mode();
        let allowed = matches!(mode, ForwardMode::Bridge | ForwardMode::Passthrough | ForwardMode::Hostdev);
        let has_default = self.portgroup(None).is_some();
        let mut is_bad = self.vlan.is_some() && !allowed && !has_default;
        for group in self.portgroups.iter().filter(|it| self.vlan.is_some() || it.vlan.is_some()) {
            is_bad |= match &group.virtual_port {
                Some(port) => mode != ForwardMode::Bridge || port.kind != Some(VirtualPortKind::Openvswitch),
                None => !allowed,
            };
        }
        if is_bad {
            return Err(node.error(ErrorKind::Unsupported, "<vlan>, but this kind of network cannot set tags"));
        }
        Ok(())
    }
}
