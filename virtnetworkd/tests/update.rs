//! Parts of a network that change: what the reference does with each, and under which code it refuses.

// A broken case should fail where it is.
#![allow(clippy::expect_used)]

use virtbus_api::network::UpdateCommand::{self, AddFirst, AddLast, Delete, Modify};
use virtbus_schema::{
    Network, NetworkSection,
    SectionKind::{self, Bridge, DnsHost, DnsSrv, DnsTxt, ForwardInterface, IpDhcpHost, IpDhcpRange, Portgroup},
};
use virtnetworkd::update::apply;

const NETWORK: &str = "<network><name>u</name><forward mode='open'/><bridge name='b'/>\
    <dns><host ip='10.3.0.5'><hostname>o</hostname></host><host ip='10.3.0.6'><hostname>o2</hostname></host>\
    <srv service='s' protocol='tcp' domain='d'/><srv service='s' protocol='tcp' domain='e'/><txt name='t' value='v'/></dns>\
    <ip address='10.3.0.1' prefix='24'><dhcp><range start='10.3.0.2' end='10.3.0.100'/>\
    <host mac='52:54:00:00:00:01' name='h1' ip='10.3.0.11'/></dhcp></ip><ip address='10.4.0.1' prefix='24'/>\
    <ip family='ipv6' address='fd00:9c::1' prefix='64'><dhcp><host name='x6' ip='fd00:9c::9'/></dhcp></ip>\
    <portgroup name='a'/><portgroup name='b' default='yes'/></network>";

/// Code (0 for none), command, section, `<ip>`, part.
#[rustfmt::skip]
const CASES: &[(i32, UpdateCommand, SectionKind, Option<u32>, &str)] = &[
    (0, AddLast, IpDhcpHost, None, "<host mac='52:54:00:00:00:02' ip='10.3.0.12'/>"),
    (55, AddLast, IpDhcpHost, None, "<host mac='52:54:00:00:00:01' ip='10.3.0.12'/>"),
    (55, AddLast, IpDhcpHost, None, "<host mac='52:54:00:00:00:03' ip='10.3.0.11'/>"),
    (55, AddLast, IpDhcpHost, None, "<host name='h1' ip='10.3.0.12'/>"),
    (0, AddLast, IpDhcpHost, Some(2), "<host id='0:1' ip='fd00:9c::12'/>"),
    (27, AddLast, IpDhcpHost, Some(2), "<host mac='52:54:00:00:00:02' ip='fd00:9c::12'/>"),
    (55, AddLast, IpDhcpHost, Some(1), "<host mac='52:54:00:00:00:02' ip='10.4.0.12'/>"),
    (55, AddLast, IpDhcpHost, Some(7), "<host mac='52:54:00:00:00:02' ip='10.4.0.12'/>"),
    (27, AddLast, IpDhcpHost, None, "<host ip='10.3.0.12'/>"),
    (27, AddLast, IpDhcpHost, None, "<range start='10.3.0.150' end='10.3.0.160'/>"),
    (35, AddLast, IpDhcpHost, None, "junk"),
    (0, Modify, IpDhcpHost, None, "<host name='h1' ip='10.3.0.12'/>"),
    (0, Modify, IpDhcpHost, None, "<host ip='10.3.0.11' name='zz'/>"),
    (27, Modify, IpDhcpHost, None, "<host mac='52:54:00:00:00:01'/>"),
    (55, Modify, IpDhcpHost, None, "<host name='zz' ip='10.3.0.12'/>"),
    (0, Delete, IpDhcpHost, None, "<host name='h1'/>"),
    (55, Delete, IpDhcpHost, None, "<host name='h1' mac='52:54:00:00:00:09'/>"),
    (27, Delete, IpDhcpHost, None, "<host/>"),
    (0, Delete, IpDhcpHost, Some(2), "<host name='x6'/>"),
    (55, AddLast, IpDhcpRange, None, "<range start='10.3.0.2' end='10.3.0.100'/>"),
    (0, Delete, IpDhcpRange, None, "<range start='10.3.0.2' end='10.3.0.100'/>"),
    (55, Delete, IpDhcpRange, None, "<range start='10.3.0.2' end='10.3.0.9'/>"),
    (84, Modify, IpDhcpRange, None, "<range start='10.3.0.2' end='10.3.0.9'/>"),
    (1, AddLast, IpDhcpRange, None, "<range start='10.9.0.2' end='10.9.0.9'/>"),
    (0, AddFirst, IpDhcpRange, None, "<range start='10.3.0.200' end='10.3.0.201'><lease expiry='3'/></range>"),
    (0, AddLast, IpDhcpRange, Some(2), "<range start='fd00:9c::20' end='fd00:9c::22'/>"),
    (27, AddLast, ForwardInterface, None, "<interface/>"),
    (84, Modify, ForwardInterface, None, "<interface dev='e'/>"),
    (55, Delete, ForwardInterface, None, "<interface dev='e'/>"),
    (55, AddLast, Portgroup, None, "<portgroup name='c' default='yes'/>"),
    (55, AddLast, Portgroup, None, "<portgroup name='a'/>"),
    (55, Modify, Portgroup, None, "<portgroup name='a' default='yes'/>"),
    (0, Modify, Portgroup, None, "<portgroup name='b'/>"),
    (55, Modify, Portgroup, None, "<portgroup name='zz'/>"),
    (0, Delete, Portgroup, None, "<portgroup name='a'/>"),
    (0, AddFirst, Portgroup, None, "<portgroup name='c'><bandwidth><inbound average='1'/></bandwidth></portgroup>"),
    (0, AddLast, DnsHost, None, "<host ip='10.3.0.7'><hostname>o</hostname></host>"),
    (55, AddLast, DnsHost, None, "<host ip='10.3.0.5'><hostname>new</hostname></host>"),
    (35, AddLast, DnsHost, None, "<host ip='10.3.0.7'/>"),
    (0, Modify, DnsHost, None, "<host ip='10.3.0.5'><hostname>o2</hostname></host>"),
    (55, Modify, DnsHost, None, "<host ip='1.1.1.1'><hostname>o</hostname></host>"),
    (0, Delete, DnsHost, None, "<host><hostname>o</hostname></host>"),
    (0, Delete, DnsHost, None, "<host ip='10.3.0.5'><hostname>zz</hostname></host>"),
    (55, Delete, DnsHost, None, "<host ip='10.3.0.5'><hostname>o2</hostname></host>"),
    (35, Delete, DnsHost, None, "<host/>"),
    (55, AddLast, DnsTxt, None, "<txt name='t' value='w'/>"),
    (35, AddLast, DnsTxt, None, "<txt name='u'/>"),
    (0, Modify, DnsTxt, None, "<txt name='t' value='w'/>"),
    (0, Delete, DnsTxt, None, "<txt name='t' value='other'/>"),
    (55, AddLast, DnsSrv, None, "<srv service='s' protocol='tcp' domain='d'/>"),
    (0, AddLast, DnsSrv, None, "<srv service='s' protocol='tcp' domain='z' target='t'/>"),
    (55, Delete, DnsSrv, None, "<srv service='s'/>"),
    (0, Delete, DnsSrv, None, "<srv service='s' domain='d'/>"),
    (84, Modify, DnsSrv, None, "<srv service='s' protocol='tcp' domain='d'/>"),
    (84, Modify, Bridge, None, "<bridge name='x'/>"),
];

fn updated(command: UpdateCommand, kind: SectionKind, parent: Option<u32>, text: &str) -> Result<Network, i32> {
    let network = Network::parse(NETWORK).expect("a network");
    let section = NetworkSection { kind, text: text.to_owned() };
    apply(&network, command, &section, parent).map_err(|error| error.code.number())
}

#[test]
fn updates_do_what_the_reference_does() {
    for (want, command, kind, parent, text) in CASES {
        let code = updated(*command, *kind, *parent, text).err().unwrap_or(0);
        assert_eq!(code, *want, "{command:?} {kind:?} {parent:?} {text}");
    }
}

#[test]
fn first_and_last_are_meant() {
    let names = |command| {
        let network = updated(command, Portgroup, None, "<portgroup name='c'/>").expect("added");
        network.portgroups.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(names(AddFirst), ["c", "a", "b"]);
    assert_eq!(names(AddLast), ["a", "b", "c"]);
    let changed = updated(Modify, IpDhcpHost, None, "<host name='h1' ip='10.3.0.12'/>").expect("changed");
    let (_, dhcp) = changed.dhcp4().expect("it has DHCP");
    assert_eq!((dhcp.hosts.len(), dhcp.hosts[0].mac.as_deref()), (1, None));
}
