//! What `<vlan>`, `<bandwidth>` and `<virtualport>` have to say in networks and ports, where the reference asks more of them
//! than in domains.

use virtbus_xml::{Error, ErrorKind, Node, YesNo};

use super::{Bandwidth, BandwidthLimit, VirtualPort, VirtualPortKind, VirtualPortParameters, Vlan};

type Checked = Result<(), Error>;

/// The largest rate in KiB/s, and the largest burst in KiB, that the reference takes.
const MAX_RATE: u64 = 1 << 54;
const MAX_BURST: u64 = (1 << 22) - 1;

/// Refuses a `<vlan>` that says nothing or contradicts itself; several tags are a trunk.
pub(crate) fn complete_vlan(vlan: &mut Option<Vlan>, node: Node<'_>) -> Checked {
    let (Some(vlan), Some(node)) = (vlan.as_mut(), node.child("vlan")) else { return Ok(()) };
    if vlan.tags.is_empty() {
        return Err(node.missing("tag"));
    }
    let natives = vlan.tags.iter().filter(|it| it.native_mode.is_some()).count();
    if natives > 1 {
        return Err(node.error(ErrorKind::BadValue, "more than one native VLAN"));
    }
    if vlan.trunk == Some(YesNo::No) {
        if natives > 0 || vlan.tags.len() > 1 {
            return Err(node.error(ErrorKind::BadValue, "trunk='no', but this is a trunk"));
        }
        vlan.trunk = None;
    }
    if vlan.tags.len() > 1 {
        vlan.trunk = Some(YesNo::Yes);
    }
    Ok(())
}

/// Refuses rates beyond what the kernel takes; `floor` only where a network guarantees it. A rate of zero is none.
pub(crate) fn check_bandwidth(bandwidth: &mut Option<Bandwidth>, floor_allowed: bool, node: Node<'_>) -> Checked {
    let (Some(found), Some(node)) = (bandwidth.as_mut(), node.child("bandwidth")) else { return Ok(()) };
    if !floor_allowed && node.attr("classID").is_some() {
        return Err(node.error(ErrorKind::Conflict, "classID is not for here"));
    }
    for (name, limit) in [("inbound", &mut found.inbound), ("outbound", &mut found.outbound)] {
        let (Some(said), Some(node)) = (limit.as_mut(), node.child(name)) else { continue };
        check_limit(said, floor_allowed && name == "inbound", node)?;
        // Nothing of these is none of them.
        said.peak = said.peak.filter(|it| *it > 0);
        said.burst = said.burst.filter(|it| *it > 0);
        if said.average.unwrap_or(0) == 0 && said.floor.is_none() {
            *limit = None;
        }
    }
    if found.inbound.is_none() && found.outbound.is_none() {
        *bandwidth = None;
    }
    Ok(())
}

fn check_limit(limit: &BandwidthLimit, floor_allowed: bool, node: Node<'_>) -> Checked {
    let BandwidthLimit { average, peak, floor, burst } = limit;
    if floor.is_some() && !floor_allowed {
        return Err(node.error(ErrorKind::Unsupported, "floor is not for here"));
    }
    if average.is_none() && (peak.is_some() || burst.is_some()) {
        return Err(node.error(ErrorKind::Unsupported, "peak and burst need an average"));
    }
    let limits = [
        ("average", average, MAX_RATE),
        ("peak", peak, MAX_RATE),
        ("floor", floor, MAX_RATE),
        ("burst", burst, MAX_BURST),
    ];
    for (name, value, limit) in limits {
        if let Some(value) = value.filter(|it| *it > limit) {
            return Err(node.error(ErrorKind::Overflow, format!("{name} {value} is beyond {limit}")));
        }
    }
    Ok(())
}

/// Refuses a `<virtualport>` without a type (of a whole network, whose ports take it over) or with what is not of its type.
pub(crate) fn check_virtual_port(port: &mut Option<VirtualPort>, needs_type: bool, node: Node<'_>) -> Checked {
    let (Some(found), Some(node)) = (port.as_mut(), node.child("virtualport")) else { return Ok(()) };
    let bad = |kind, message: String| Err(node.error(kind, message));
    found.parameters = found.parameters.take().filter(|it| *it != VirtualPortParameters::default());
    let Some(kind) = found.kind else {
        if needs_type {
            return bad(ErrorKind::BadValue, "missing required type of the virtual port".to_owned());
        }
        if found.parameters.is_none() {
            *port = None;
        }
        return Ok(());
    };
    if kind == VirtualPortKind::None {
        return bad(ErrorKind::Unsupported, "unknown virtual port type none".to_owned());
    }
    let Some(parameters) = &found.parameters else { return Ok(()) };
    let VirtualPortParameters { managerid, typeid, typeidversion, instanceid, interfaceid, profileid } = parameters;
    use VirtualPortKind::{Midonet, Openvswitch, Qbg, Qbh};
    let said: [(&str, bool, &[VirtualPortKind]); 6] = [
        ("managerid", managerid.is_some(), &[Qbg]),
        ("typeid", typeid.is_some(), &[Qbg]),
        ("typeidversion", typeidversion.is_some(), &[Qbg]),
        ("instanceid", instanceid.is_some(), &[Qbg]),
        ("interfaceid", interfaceid.is_some(), &[Openvswitch, Midonet]),
        ("profileid", profileid.is_some(), &[Qbh, Openvswitch]),
    ];
    for (name, is_said, kinds) in said {
        if is_said && !kinds.contains(&kind) {
            return bad(ErrorKind::BadValue, format!("{name} is not for type='{kind}'"));
        }
    }
    if profileid.as_ref().is_some_and(|it| it.len() >= 40) {
        return bad(ErrorKind::BadValue, "profileid is longer than 39 characters".to_owned());
    }
    Ok(())
}
