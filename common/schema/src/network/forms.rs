//! What strict reading asks of the parts of networks beyond their types. Facts of libvirt's schemas, in our own words.

use virtbus_xml::{Error, ErrorKind, Mac, Node};

/// One line.
pub(super) fn line(text: &str) -> bool {
    !text.contains('\n')
}

/// An address in full: four numbers with dots, or IPv6.
pub(super) fn address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// Four numbers with dots.
pub(super) fn address4(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The name of a network device.
pub(super) fn interface(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"_.-\\:/".contains(&it))
}

/// Some text.
pub(super) fn said(text: &str) -> bool {
    !text.is_empty()
}

/// A number of 16 bits.
pub(super) fn short(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// The MAC address of one card.
pub(super) fn unicast(text: &str) -> bool {
    text.parse::<Mac>().is_ok_and(|it| !it.is_multicast())
}

/// A mode that is said; an isolated network says none.
pub(super) fn forward_mode(text: &str) -> bool {
    text != "none"
}

/// The protocol of a service.
pub(super) fn protocol(text: &str) -> bool {
    matches!(text, "tcp" | "udp")
}

fn refuse(node: Node<'_>, message: &str) -> Result<(), Error> {
    Err(node.error(ErrorKind::Unknown, message))
}

/// `<mac>` and `<mtu>` have what they are for.
pub(super) fn network(node: Node<'_>) -> Result<(), Error> {
    for (name, attr) in [("mac", "address"), ("mtu", "size")] {
        if let Some(empty) = node.child(name).filter(|it| it.attr(attr).is_none()) {
            return Err(empty.missing(&format!("@{attr}")));
        }
    }
    Ok(())
}

/// Ports begin at 1.
pub(super) fn nat(node: Node<'_>) -> Result<(), Error> {
    let starts_at_zero = |port: &Node<'_>| {
        let zero = |name| port.attr(name).is_some_and(|it| it.value().parse::<u16>() == Ok(0));
        zero("start") || zero("end")
    };
    node.child("port").filter(starts_at_zero).map_or(Ok(()), |port| refuse(port, "no port is 0"))
}

/// `<ip>` and `<route>` have a prefix or a netmask, and `<tftp>` a root.
pub(super) fn ip(node: Node<'_>) -> Result<(), Error> {
    if node.attr("prefix").is_some() && node.attr("netmask").is_some() {
        return refuse(node, "both a prefix and a netmask");
    }
    if node.child("tftp").is_some_and(|it| it.attr("root").is_none()) {
        return refuse(node, "<tftp> without root");
    }
    Ok(())
}

/// A host is known by its MAC address, its id or its name, and not by two of the first.
pub(super) fn dhcp_host(node: Node<'_>) -> Result<(), Error> {
    let said = |name: &str| node.attr(name).is_some();
    match (said("mac"), said("id"), said("name")) {
        (true, true, _) => refuse(node, "both mac and id"),
        (false, false, false) => refuse(node, "needs mac, id or name"),
        _ => Ok(()),
    }
}
