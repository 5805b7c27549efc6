//! What each kind of network gives its ports, and what it refuses.

use super::*;

fn network(inside: &str) -> Network {
    Network::parse(&format!("<network><name>n</name>{inside}</network>")).expect("a network")
}

fn port(inside: &str) -> NetworkPort {
    let text = format!(
        "<networkport><uuid>{}</uuid><owner><name>d</name><uuid>19b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid></owner>\
         <mac address='52:54:00:11:22:33'/>{inside}</networkport>",
        Uuid::new_v4()
    );
    NetworkPort::parse(&text).expect("a port")
}

/// One port after the other; the last one as it came out.
fn plugged(network: &Network, count: usize) -> Result<Plug> {
    let mut ports = Ports::new();
    let mut last = None;
    for _ in 0..count {
        let mut port = port("");
        allocate(network, &ports, &mut port)?;
        last.clone_from(&port.plug);
        ports.insert(port.uuid, Arc::new(port));
    }
    Ok(last.expect("there is one"))
}

#[test]
fn each_kind_gives_what_it_has() {
    let bridge = |name: &str| BridgePlug { bridge: name.to_owned(), mac_table_manager: None };
    let nat = network("<forward/><bridge name='virbr0'/><ip address='10.0.0.1' prefix='24'/>");
    assert_eq!(plugged(&nat, 1).unwrap(), Plug::Network(bridge("virbr0")));
    let host = network("<forward mode='bridge'/><bridge name='br0'/>");
    assert_eq!(plugged(&host, 1).unwrap(), Plug::Bridge(bridge("br0")));
    let pool = network("<forward mode='bridge'><interface dev='a'/><interface dev='b'/></forward>");
    let direct = |dev: &str, mode| Plug::Direct { dev: dev.to_owned(), mode };
    assert_eq!(plugged(&pool, 2).unwrap(), direct("b", DirectMode::Bridge));
    assert_eq!(plugged(&pool, 3).unwrap(), direct("a", DirectMode::Bridge));
    let alone = network("<forward mode='passthrough'><interface dev='a'/></forward>");
    assert_eq!(plugged(&alone, 1).unwrap(), direct("a", DirectMode::Passthrough));
    assert!(plugged(&alone, 2).is_err());
    let functions =
        network("<forward mode='hostdev' managed='yes'><address type='pci' bus='1' slot='2' function='3'/></forward>");
    assert!(matches!(plugged(&functions, 1).unwrap(), Plug::HostdevPci { address, .. } if address.function == 3));
    assert!(plugged(&functions, 2).is_err());
}

#[test]
fn groups_and_networks_speak_for_ports() {
    let network = network(
        "<forward mode='bridge'/><bridge name='br0'/><port isolated='yes'/><vlan><tag id='7'/></vlan>\
         <virtualport type='openvswitch'/><portgroup name='g' default='yes' trustGuestRxFilters='yes'>\
         <bandwidth><inbound average='4'/></bandwidth></portgroup><portgroup name='h'><vlan><tag id='8'/></vlan></portgroup>",
    );
    let mut of_default = port("");
    allocate(&network, &Ports::new(), &mut of_default).unwrap();
    assert!(
        of_default.isolated.is_some() && of_default.trust_guest_rx_filters.is_some() && of_default.bandwidth.is_some()
    );
    assert_eq!(of_default.vlan.unwrap().tags[0].id, 7);
    assert_eq!(of_default.virtual_port.unwrap().kind, Some(VirtualPortKind::Openvswitch));
    let mut of_group = port("<group>h</group>");
    allocate(&network, &Ports::new(), &mut of_group).unwrap();
    assert_eq!(of_group.vlan.unwrap().tags[0].id, 8);
    assert!(of_group.bandwidth.is_none());
}

#[test]
fn what_a_kind_cannot_give_is_refused() {
    let mut port = port("<virtualport type='openvswitch'/>");
    let isolated = network("<bridge name='virbr0'/>");
    let error = allocate(&isolated, &Ports::new(), &mut port).unwrap_err();
    assert_eq!(error.code, virtbus_api::ErrorCode::ConfigUnsupported);
    assert!(reclaim(&isolated, &port).is_err());
}
