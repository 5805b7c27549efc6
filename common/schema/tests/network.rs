//! Documents of networks: as the reference writes them, byte for byte, and refused under its codes.
//!
//! `networks/` holds documents of ours that libvirt 11.3 took (`NAME.in.xml`) and wrote (`NAME.out.xml`).

// A missing fixture should fail the test where it is read.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use virtbus_schema::network::Part;
use virtbus_schema::xml::{Document, Xml as _};
use virtbus_schema::{FormatOptions, Network, NetworkSection, SectionKind};

const AT_REST: FormatOptions = FormatOptions { secure: true, inactive: true, migratable: false, status: false };

/// Name, what was taken, what was written.
fn own() -> Vec<(String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/networks");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut found: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|it| it.unwrap().file_name().to_str()?.strip_suffix(".in.xml").map(str::to_owned))
        .map(|name| (name.clone(), read(&format!("{name}.in.xml")), read(&format!("{name}.out.xml"))))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn documents_are_written_as_the_reference_writes_them() {
    for (name, taken, written) in own() {
        for text in [&taken, &written] {
            let document = Document::parse(text).unwrap();
            let network = document.root_named(Network::ROOT).and_then(Network::read);
            assert_eq!(document.unknown(), [], "{name}");
            assert_eq!(network.as_ref().map(|it| it.format(AT_REST)).as_deref(), Ok(written.as_str()), "{name}");
        }
    }
}

/// What stands inside a network with a bridge; and the reference's code, 0 for none.
const FAULTS: &[(i32, &str)] = &[
    (67, "<forward mode='bogus'/>"),
    (27, "<forward mode='nat'/>"),
    (27, "<forward mode='open' dev='e'/>"),
    (27, "<forward mode='route'><nat/></forward><ip address='10.0.0.1'/>"),
    (27, "<forward><interface dev='a'/><interface dev='b'/></forward><ip address='10.0.0.1'/>"),
    (27, "<forward dev='x'><interface dev='e'/></forward><ip address='10.0.0.1'/>"),
    (35, "<forward><nat><port start='5'/></nat></forward><ip address='10.0.0.1'/>"),
    (1, "<forward><nat><address start='1.2.3.9' end='1.2.3.4'/></nat></forward><ip address='10.0.0.1'/>"),
    (27, "<forward><nat><address start='fd00::1' end='fd00::2'/></nat></forward><ip address='10.0.0.1'/>"),
    (27, "<forward><nat/><nat/></forward><ip address='10.0.0.1'/>"),
    (67, "<domain name='c' register='yes'/>"),
    (0, "<domain localOnly='yes'/>"),
    (27, "<dns enable='no'><forwarder addr='1.1.1.1'/></dns>"),
    (27, "<dns><forwarder/></dns>"),
    (35, "<dns><host ip='x'><hostname>a</hostname></host></dns>"),
    (35, "<dns><host ip='1.2.3.4'/></dns>"),
    (35, "<dns><txt name='a'/></dns>"),
    (35, "<dns><txt name='a b' value='x'/></dns>"),
    (35, "<dns><srv service='s'/></dns>"),
    (35, "<dns><srv service='s' protocol='tcp' port='1'/></dns>"),
    (35, "<dns><srv service='s' protocol='tcp' target='t' port='0'/></dns>"),
    (0, "<dns><srv service='s' protocol='x'/></dns>"),
    (27, "<mac address='01:00:00:00:00:01'/>"),
    (0, "<mtu size='0'/>"),
    (27, "<mtu size='huge'/>"),
    (67, "<virtualport type='none'/>"),
    (27, "<virtualport/>"),
    (27, "<virtualport type='802.1Qbh'><parameters managerid='1'/></virtualport>"),
    (27, "<portgroup/>"),
    (67, "<portgroup name='a'/><portgroup name='a'/>"),
    (67, "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>"),
    (0, "<portgroup name='a' default='x'/>"),
    (67, "<portgroup name='a'><bandwidth><inbound floor='2'/></bandwidth></portgroup>"),
    (35, "<bandwidth><inbound peak='5'/></bandwidth>"),
    (82, "<bandwidth><inbound average='18446744073709551615'/></bandwidth>"),
    (35, "<bandwidth classID='3'><inbound average='1'/></bandwidth>"),
    (67, "<vlan><tag id='1'/></vlan>"),
    (27, "<vlan/>"),
    (27, "<ip/>"),
    (67, "<ip address='fd00::1'/>"),
    (67, "<ip address='10.0.0.1' prefix='33'/>"),
    (67, "<ip address='10.0.0.1' prefix='24' netmask='255.0.0.0'/>"),
    (0, "<ip address='10.0.0.1' netmask='255.0.255.0'/>"),
    (67, "<ip family='ipv6' address='fd00::1' prefix='64'><tftp root='/x'/></ip>"),
    (27, "<route address='10.1.0.0'/>"),
    (67, "<route address='10.1.0.0' prefix='16' gateway='10.0.5.2'/>"),
    (27, "<ip address='10.0.0.1' prefix='24'/><route address='10.1.0.1' prefix='16' gateway='10.0.0.2'/>"),
    (27, "<ip address='10.0.0.1' prefix='24'/><route address='10.1.0.0' gateway='10.0.0.2'/>"),
    (0, "<ip address='10.0.0.1' prefix='24'/><route address='0.0.0.0' gateway='10.0.0.2'/>"),
    (27, "<ip address='10.0.0.1' prefix='24'/><route address='10.1.0.0' prefix='16' gateway='10.0.0.2' metric='0'/>"),
    (27, "<forward mode='hostdev'><address type='pci' bus='3'/><address type='pci' bus='3'/></forward>"),
    (0, "<ip address='10.0.0.1' netmask='' family=''/>"),
    (0, "<mac address=''/>"),
    (67, "<bandwidth><inbound peak='5' floor='2'/></bandwidth>"),
    (1, "<options xmlns='http://libvirt.org/schemas/network/dnsmasq/1.0'><option/></options>"),
];

/// What stands inside `<ip address='10.0.0.1' prefix='24'><dhcp>`.
const DHCP_FAULTS: &[(i32, &str)] = &[
    (27, "<range start='10.0.0.2'/>"),
    (38, "<range start='x' end='10.0.0.4'/>"),
    (1, "<range start='10.0.1.2' end='10.0.1.4'/>"),
    (1, "<range start='10.0.0.2' end='fd00::1'/>"),
    (1, "<range start='10.0.0.9' end='10.0.0.2'/>"),
    (1, "<range start='10.0.0.0' end='10.0.0.2'/>"),
    (1, "<range start='10.0.0.9' end='10.0.0.255'/>"),
    (0, "<range start='10.0.0.1' end='10.0.0.4'><lease/></range>"),
    (67, "<range start='10.0.0.2' end='10.0.0.3'><lease expiry='1'/></range>"),
    (27, "<range start='10.0.0.2' end='10.0.0.3'><lease expiry='1' unit='days'/></range>"),
    (27, "<host ip='10.0.0.3'/>"),
    (27, "<host name='a'/>"),
    (27, "<host mac='zz' ip='10.0.0.3'/>"),
    (0, "<host mac='52:54:00:00:00:01' ip='10.1.0.3'/>"),
    (27, "<bootp server='1.2.3.4'/>"),
    (38, "<bootp file='f' server='x'/>"),
];

fn code(text: &str) -> i32 {
    Network::parse(text).err().map_or(0, |it| it.kind.code())
}

/// What strict reading says of what stands inside a network, where reading does not.
const STRICT: &[(i32, &str)] = &[
    (92, "<ip address='1'/>"),
    (92, "<ip address='10.0.0.1' netmask='0'/>"),
    (27, "<ip netmask='255.0.0.0'/>"),
    (92, "<ip address='10.0.0.1'><dhcp><range start='0' end='10.0.0.9'/></dhcp></ip>"),
    (92, "<forward dev=''/><ip address='10.0.0.1'/>"),
    (92, "<forward><nat><port start='0' end='9'/></nat></forward><ip address='10.0.0.1'/>"),
    (35, "<forward><nat><port start='9' end='1'/></nat></forward><ip address='10.0.0.1'/>"),
    (92, "<dns><host ip='10.0.0.2'><hostname>a/b</hostname></host></dns>"),
    (92, "<dns><forwarder domain='' addr='10.0.0.2'/></dns>"),
    (92, "<mac/>"),
    (92, "<mtu/>"),
];

#[test]
fn strict_reading_asks_for_the_forms_of_the_schema() {
    let code = |text: &str| Network::parse_strict(text).err().map_or(0, |it| it.kind.code());
    for (want, inside) in STRICT {
        assert_eq!(code(&format!("<network><name>n</name>{inside}</network>")), *want, "{inside}");
    }
    assert_eq!((code("<network><name/></network>"), code("<network/>")), (21, 92));
}

#[test]
fn faults_have_the_codes_of_the_reference() {
    for (want, inside) in FAULTS {
        let text = format!("<network><name>n</name><bridge name='b9'/>{inside}</network>");
        assert_eq!(code(&text), *want, "{inside}: {:?}", Network::parse(&text));
    }
    for (want, inside) in DHCP_FAULTS {
        let text =
            format!("<network><name>n</name><ip address='10.0.0.1' prefix='24'><dhcp>{inside}</dhcp></ip></network>");
        assert_eq!(code(&text), *want, "{inside}: {:?}", Network::parse(&text));
    }
    for (want, text) in [
        (21, "<network/>"),
        (21, "<network xmlns='urn:x'><name>n</name></network>"),
        (35, "<network><name>a/b</name></network>"),
        (27, "<network><name>n</name><forward mode='bridge'/><bridge name='b' stp='off'/></network>"),
        (0, "<network><name>n</name><forward mode='bridge'/><bridge name='b' delay='0'/></network>"),
        (27, "<network><name>n</name><forward mode='vepa' dev='e'/><bridge name='b'/></network>"),
        (67, "<network><name>n</name><forward mode='vepa' dev='e'/><mac address='52:54:00:aa:bb:cc'/></network>"),
        (67, "<network><name>n</name><forward mode='vepa' dev='e'/><vlan><tag id='1'/></vlan></network>"),
        (0, "<network><name>n</name><forward mode='passthrough' dev='e'/><vlan><tag id='1'/></vlan></network>"),
        (67, "<network><name>n</name><forward mode='hostdev' dev='e'/></network>"),
        (27, "<network ipv6='x'><name>n</name></network>"),
        (0, "<network connections='x'><name>n</name></network>"),
    ] {
        assert_eq!(code(text), want, "{text}: {:?}", Network::parse(text));
    }
}

/// Documents that reading takes and strict reading does not; the reference's code, which is 92 for all of the form.
#[test]
fn strict_reading_asks_for_the_form() {
    for (want, text) in [
        (0, "<network><name>n</name><bridge name='b'/></network>"),
        (92, "<network><name>n</name><forward mode='none'/></network>"),
        (92, "<network><name>n</name><domain/></network>"),
        (92, "<network><name>n</name><bogus/></network>"),
        (92, "<network><name>n</name><ip address='10.0.0.1' prefix='24'><tftp/></ip></network>"),
        (92, "<network><name>n</name><dns><srv service='s' protocol='x'/></dns></network>"),
        (92, "<p:network xmlns:p='urn:x'><name>n</name></p:network>"),
        (92, "<network/>"),
        (67, "<network><name>n</name><vlan><tag id='1'/></vlan></network>"),
        (27, "<network><name>n</name><forward mode='nat'/></network>"),
    ] {
        let code = Network::parse_strict(text).err().map_or(0, |it| it.kind.code());
        assert_eq!(code, want, "{text}: {:?}", Network::parse_strict(text));
    }
}

#[test]
fn parts_are_read_whole_or_as_names_of_what_is_to_go() {
    let part = |kind, text: &str, whole| {
        Part::parse(&NetworkSection { kind, text: text.to_owned() }, whole).map_err(|it| it.kind.code())
    };
    use SectionKind::{Bridge, DnsHost, DnsSrv, DnsTxt, Portgroup};
    for (kind, text) in [(DnsHost, "<host ip='1.2.3.4'/>"), (DnsTxt, "<txt name='a'/>"), (DnsSrv, "<srv/>")] {
        assert!(part(kind, text, false).unwrap().is_some(), "{text}");
        assert_eq!(part(kind, text, true), Err(35), "{text}");
    }
    assert_eq!(part(Portgroup, "<vlan/>", true), Err(27));
    assert_eq!(part(Bridge, "<bridge/>", true), Ok(None));
}

/// One small change of a document: a piece cut out, doubled, or a value exchanged.
fn mutate(text: &str, (kind, at, to): (u8, usize, usize)) -> String {
    let lines: Vec<_> = text.lines().collect();
    let quoted: Vec<_> = text.split('\'').collect();
    let values = (quoted.len() / 2).max(1);
    let (line, value, other) = (at % lines.len().max(1), (at % values) * 2 + 1, (to % values) * 2 + 1);
    let times = |it: usize| if it == line { 2 * usize::from(kind) } else { 1 };
    match kind {
        0 | 1 => lines.iter().enumerate().flat_map(|(it, text)| vec![*text; times(it)]).collect::<Vec<_>>().join("\n"),
        _ if quoted.len() > 2 => {
            let mut changed = quoted.clone();
            changed[value] = quoted[other];
            changed.join("'")
        }
        _ => text.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400.max(ProptestConfig::default().cases), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is accepted is in its normal form after one round: written and read again it is the same value.
    #[test]
    fn what_is_accepted_survives(which in 0_usize..100, changes in prop::collection::vec((0_u8..3, 0_usize..10_000, 0_usize..10_000), 1..4)) {
        let documents = own();
        let (name, _, text) = &documents[which % documents.len()];
        let text = changes.into_iter().fold(text.clone(), |text, change| mutate(&text, change));
        if let Ok(network) = Network::parse(&text) {
            let written = network.format(AT_REST);
            let again = Network::parse(&written);
            prop_assert!(again.is_ok(), "{name}: {again:?}\n{written}");
            prop_assert_eq!(again.unwrap().format(AT_REST), written);
        }
    }
}
