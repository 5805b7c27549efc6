//! Rules in nftables' JSON (libnftables-json(5)), from a network's document: pure values, no process.
//!
//! ```text
//! forward: oifname ─┬─ virbr0 → to_virbr0    what may not go in is rejected, the rest returns
//!          iifname ─┼─ virbr0 → from_virbr0  what may not come out is rejected, the rest is accepted
//! nat_virbr0 (postrouting)
//! in_virbr0  ← input, iifname                what the host's own servers need, for the reader and the counters
//! ```
//!
//! Both ends have their say: what a network may receive, another may still not send.

use std::net::IpAddr;

use serde_json::{Value, json};
use virtbus_schema::Network;
use virtbus_schema::network::{ForwardMode, NatPort};
use virtbus_schema::xml::YesNo;

use crate::address::{Subnet, subnets};

/// The table's name; its family is inet.
pub(super) const TABLE: &str = "virtbus_network";
/// Ports that packets leave with, unless told otherwise: none that only root may have.
const PORTS: NatPort = NatPort { start: 1024, end: 65_535 };
/// Maps from a device's name to the chain of its network, and the chains that look there.
const MAPS: [(&str, &str, &str); 3] =
    [("input", "iifname", "in"), ("forward", "oifname", "to"), ("forward", "iifname", "from")];

/// Makes the table and what all networks share; harmless when there.
pub(super) fn base() -> Vec<Value> {
    let mut commands = vec![json!({"add": {"table": {"family": "inet", "name": TABLE}}})];
    for hook in ["input", "forward"] {
        commands
            .push(add("chain", json!({"name": hook, "type": "filter", "hook": hook, "prio": 0, "policy": "accept"})));
        // Rules have no names: they are written anew lest they pile up, in one transaction with all else.
        commands.push(json!({"flush": {"chain": in_table(json!({"name": hook}))}}));
    }
    for (chain, key, map) in MAPS {
        commands.push(add("map", json!({"name": map, "type": "ifname", "map": "verdict"})));
        let look = json!({"vmap": {"key": {"meta": {"key": key}}, "data": format!("@{map}")}});
        commands.push(rule(chain, vec![look]));
    }
    commands
}

/// Takes the whole table away; first made lest its absence be an error.
pub(super) fn clear() -> Vec<Value> {
    let table = json!({"table": {"family": "inet", "name": TABLE}});
    vec![json!({"add": table}), json!({"delete": table})]
}

/// The rules of one network. Its chains are made empty first.
pub(super) fn network(network: &Network, bridge: &str) -> Vec<Value> {
    let mut commands = chains(bridge);
    let mode = network.mode();
    commands.extend(input(network, bridge));
    if matches!(mode, ForwardMode::None | ForwardMode::Nat | ForwardMode::Route) {
        commands.extend(forward(network, bridge));
    }
    if mode == ForwardMode::Nat {
        commands.extend(nat(network, bridge));
    }
    for (_, _, map) in MAPS {
        let element = json!({"name": map, "elem": [[bridge, {"jump": {"target": chain(map, bridge)}}]]});
        commands.push(add("element", element));
    }
    commands
}

/// Takes the rules of one network away; first made lest their absence be an error.
pub(super) fn without(bridge: &str) -> Vec<Value> {
    let mut commands = chains(bridge);
    for (_, _, map) in MAPS {
        let element = json!({"name": map, "elem": [[bridge, {"jump": {"target": chain(map, bridge)}}]]});
        commands.push(add("element", element.clone()));
        commands.push(json!({"delete": {"element": in_table(element)}}));
    }
    for kind in ["in", "to", "from", "nat"] {
        commands.push(json!({"delete": {"chain": in_table(json!({"name": chain(kind, bridge)}))}}));
    }
    commands
}

/// A network's own chains, empty.
fn chains(bridge: &str) -> Vec<Value> {
    let mut commands = Vec::new();
    for kind in ["in", "to", "from"] {
        commands.push(add("chain", json!({"name": chain(kind, bridge)})));
    }
    let nat =
        json!({"name": chain("nat", bridge), "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"});
    commands.push(add("chain", nat));
    for kind in ["in", "to", "from", "nat"] {
        commands.push(json!({"flush": {"chain": in_table(json!({"name": chain(kind, bridge)}))}}));
    }
    commands
}

/// What guests ask of the host's own servers.
fn input(network: &Network, bridge: &str) -> Vec<Value> {
    let chain = chain("in", bridge);
    let has = |test: fn(&IpAddr) -> bool| network.ips.iter().any(|ip| test(&ip.address));
    let mut ports = vec![json!(53)];
    if has(IpAddr::is_ipv4) {
        ports.push(json!(67));
    }
    if network.ips.iter().any(|ip| ip.tftp_root.is_some()) {
        ports.push(json!(69));
    }
    if has(IpAddr::is_ipv6) {
        ports.push(json!(547));
    }
    let to = |protocol: &str, ports: Value| is(json!({"payload": {"protocol": protocol, "field": "dport"}}), ports);
    vec![
        rule(&chain, vec![to("udp", json!({"set": ports})), counter(), json!({"accept": null})]),
        rule(&chain, vec![to("tcp", json!(53)), counter(), json!({"accept": null})]),
    ]
}

fn forward(network: &Network, bridge: &str) -> Vec<Value> {
    let (to, from) = (chain("to", bridge), chain("from", bridge));
    let own = |key: &str| is(json!({"meta": {"key": key}}), json!(bridge));
    let mut commands = vec![
        rule(&to, vec![own("iifname"), counter(), json!({"return": null})]),
        rule(&from, vec![own("oifname"), counter(), json!({"accept": null})]),
    ];
    let outside = network.forward.as_ref().and_then(|forward| forward.interfaces.first());
    let device = |key: &str| outside.map(|it| is(json!({"meta": {"key": key}}), json!(it.dev)));
    let subnets = if network.mode() == ForwardMode::None { Vec::new() } else { subnets(network) };
    for subnet in subnets {
        let mut inward = vec![is(address(&subnet, "daddr"), prefix(&subnet))];
        inward.extend(device("iifname"));
        if is_translated(network, &subnet) {
            let state = json!({"ct": {"key": "state"}});
            inward.push(json!({"match": {"op": "in", "left": state, "right": ["established", "related"]}}));
        }
        inward.extend([counter(), json!({"return": null})]);
        commands.push(rule(&to, inward));
        let mut outward = vec![is(address(&subnet, "saddr"), prefix(&subnet))];
        outward.extend(device("oifname"));
        outward.extend([counter(), json!({"accept": null})]);
        commands.push(rule(&from, outward));
    }
    let reject = json!({"reject": {"type": "icmpx", "expr": "port-unreachable"}});
    commands.push(rule(&to, vec![counter(), reject.clone()]));
    commands.push(rule(&from, vec![counter(), reject]));
    commands
}

/// Whether packets from a subnet leave with another address: always IPv4's, IPv6's when told.
fn is_translated(network: &Network, subnet: &Subnet) -> bool {
    let ipv6 = || network.forward.as_ref().and_then(|it| it.nat).and_then(|nat| nat.ipv6) == Some(YesNo::Yes);
    network.mode() == ForwardMode::Nat && (subnet.address.is_ipv4() || ipv6())
}

fn nat(network: &Network, bridge: &str) -> Vec<Value> {
    let chain = chain("nat", bridge);
    let forward = network.forward.as_ref();
    let said = forward.and_then(|forward| forward.nat).unwrap_or_default();
    let ports = said.port.unwrap_or(PORTS);
    let ports = json!({"range": [ports.start, ports.end]});
    let outside = forward.and_then(|forward| forward.interfaces.first());
    let mut commands = Vec::new();
    for subnet in subnets(network).iter().filter(|subnet| is_translated(network, subnet)) {
        let mut from = vec![is(address(subnet, "saddr"), prefix(subnet))];
        from.extend(outside.map(|it| is(json!({"meta": {"key": "oifname"}}), json!(it.dev))));
        // What is for everybody on the link keeps its address: an answer to it must find its way.
        let groups: &[(&str, u8)] =
            if subnet.address.is_ipv4() { &[("224.0.0.0", 24), ("255.255.255.255", 32)] } else { &[("ff02::", 16)] };
        for (group, length) in groups {
            let to = is(address(subnet, "daddr"), json!({"prefix": {"addr": group, "len": length}}));
            commands.push(rule(&chain, [&from[..], &[to, counter(), json!({"return": null})]].concat()));
        }
        let elsewhere = json!({"match": {"op": "!=", "left": address(subnet, "daddr"), "right": prefix(subnet)}});
        let with_ports = is(json!({"meta": {"key": "l4proto"}}), json!({"set": ["tcp", "udp"]}));
        let translate = |ports: Option<&Value>| match said.address.filter(|_| subnet.address.is_ipv4()) {
            Some(range) => {
                let (start, end) = (range.start.to_string(), range.end.to_string());
                let to = if start == end { json!(start) } else { json!({"range": [start, end]}) };
                let mut snat = json!({"family": "ip", "addr": to});
                set(&mut snat, "port", ports);
                json!({"snat": snat})
            }
            None => match ports {
                Some(ports) => json!({"masquerade": {"port": ports}}),
                None => json!({"masquerade": null}),
            },
        };
        let ported = [with_ports, elsewhere.clone(), counter(), translate(Some(&ports))];
        commands.push(rule(&chain, [&from[..], &ported].concat()));
        commands.push(rule(&chain, [&from[..], &[elsewhere, counter(), translate(None)]].concat()));
    }
    commands
}

fn set(object: &mut Value, name: &str, value: Option<&Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value.clone());
    }
}

fn chain(kind: &str, bridge: &str) -> String {
    format!("{kind}_{bridge}")
}

fn counter() -> Value {
    json!({"counter": null})
}

#[allow(clippy::needless_pass_by_value, reason = "made in place by its callers")]
fn is(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

fn address(subnet: &Subnet, field: &str) -> Value {
    let protocol = if subnet.address.is_ipv4() { "ip" } else { "ip6" };
    json!({"payload": {"protocol": protocol, "field": field}})
}

fn prefix(subnet: &Subnet) -> Value {
    json!({"prefix": {"addr": subnet.network.to_string(), "len": subnet.prefix}})
}

fn in_table(mut object: Value) -> Value {
    set(&mut object, "family", Some(&json!("inet")));
    set(&mut object, "table", Some(&json!(TABLE)));
    object
}

fn add(kind: &str, object: Value) -> Value {
    json!({"add": {kind: in_table(object)}})
}

#[allow(clippy::needless_pass_by_value, reason = "made in place by its callers")]
fn rule(chain: &str, expr: Vec<Value>) -> Value {
    add("rule", json!({"chain": chain, "expr": expr}))
}
