//! What strict reading asks of the parts of networks beyond their types. Facts of libvirt's schemas, in our own words.

use virtbus_xml::{Error, ErrorKind, Mac, Node};

/// One line.
pub(super) fn line(text: &str) -> bool {
    !text.contains('\n')
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
