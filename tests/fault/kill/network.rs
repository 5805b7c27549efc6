//! A network: defined, started, destroyed, undefined; with its bridge, its dnsmasq and its rules.

use virtbus_proto::table::network::{
    NetworkCreate, NetworkDefineXml, NetworkDestroy, NetworkIsActive, NetworkLookupByName, NetworkUndefine,
};
use virtbus_proto::types::Network;
use virtbus_tests::world::World;
use xtask::client::Client;

use super::super::code;
use super::{NAME, Subject};

const NO_NETWORK: i32 = 43;
const OPERATION_INVALID: i32 = 55;

#[test]
fn networks_are_not_lost() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can make a bridge");
        return;
    }
    let mut world = World::start();
    let forgiven = &[OPERATION_INVALID];
    let subject = Subject { daemon: "virtnetworkd", uri: "network:///system", stages: 2, call, seen, forgiven };
    subject.survives(&mut world);
    let left = xtask::processes::holding(world.stack.root(), &["dnsmasq"]);
    assert!(left.is_empty(), "dnsmasqs that nobody knows: {left:?}");
    let said = |program: &str, args: &[&str]| {
        let out = world.stack.inside(program).args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let links = said("ip", &["-o", "link"]);
    assert_eq!(links.lines().count(), 1, "devices that nobody knows: {links}");
    let rules = said("nft", &["list", "ruleset"]);
    assert!(!rules.contains("virbr"), "rules that nobody knows: {rules}");
}

fn call(connection: &mut Client, number: usize) -> anyhow::Result<()> {
    if number == 0 {
        let xml = format!(
            "<network><name>{NAME}</name><forward mode='nat'/><bridge name='virbrc'/>\
             <ip address='192.168.170.1' netmask='255.255.255.0'>\
             <dhcp><range start='192.168.170.2' end='192.168.170.9'/></dhcp></ip></network>"
        );
        return connection.call(&NetworkDefineXml { xml }).map(drop);
    }
    let net = lookup(connection)?;
    match number {
        1 => connection.call(&NetworkCreate { net }),
        2 => connection.call(&NetworkDestroy { net }),
        _ => connection.call(&NetworkUndefine { net }),
    }
}

fn lookup(connection: &mut Client) -> anyhow::Result<Network> {
    Ok(connection.call(&NetworkLookupByName { name: NAME.into() })?.net)
}

fn seen(connection: &mut Client) -> usize {
    match lookup(connection) {
        Err(why) if code(&why) == Some(NO_NETWORK) => 0,
        Err(why) => panic!("{why:#}"),
        Ok(net) => 1 + usize::from(connection.call(&NetworkIsActive { net }).unwrap().active == 1),
    }
}
