//! Whether one document says everything that another says: a running guest's, everything that was defined.
//!
//! What is more in it (addresses, aliases, what was chosen at the start) is not looked at.

use virtbus_tests::tree::Element;

/// Each device that a user wrote is found among those that are defined, with everything that was written.
pub(super) fn devices(written: &Element, defined: &Element) -> Result<(), String> {
    let none = Element::default();
    let wanted = written.all("devices").next().unwrap_or(&none);
    let there = defined.all("devices").next().unwrap_or(&none);
    for device in &wanted.children {
        let same = there.all(&device.name);
        let reasons: Vec<_> = same.map(|it| missing(device, it, Order::Any)).collect();
        if !reasons.iter().any(Option::is_none) {
            return Err(format!("the definition has no {} as written: {reasons:?}", device.name));
        }
    }
    Ok(())
}

/// Everything that is defined is found in the document of the running guest, in the same order.
pub(super) fn document(defined: &Element, live: &Element) -> Result<(), String> {
    missing(defined, live, Order::Same).map_or(Ok(()), |why| Err(format!("the running guest's document has no {why}")))
}

/// Whether elements stand in the order of the document that is held against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Any,
    Same,
}

/// What of the first is not in the second.
fn missing(wanted: &Element, there: &Element, order: Order) -> Option<String> {
    let name = &wanted.name;
    for (key, value) in &wanted.attributes {
        let found = there.attributes.get(key);
        if found != Some(value) && !is_chosen_at_the_start(name, key, value) {
            return Some(format!("{name}/@{key}={value:?} but {found:?}"));
        }
    }
    if wanted.text != there.text && !(name == "currentMemory" || name == "requested" || name == "current") {
        return Some(format!("{name}: {:?} but {:?}", wanted.text, there.text));
    }
    let mut rest = there.children.as_slice();
    for child in &wanted.children {
        let mut reasons = Vec::new();
        let found = rest.iter().position(|it| {
            let reason = if it.name == child.name { missing(child, it, order) } else { Some(String::new()) };
            let is_it = reason.is_none();
            reasons.extend(reason.filter(|it| !it.is_empty()));
            is_it
        });
        match found {
            Some(at) if order == Order::Same => rest = &rest[at + 1..],
            Some(_) => {}
            None => return Some(format!("{name}/{} ({})", child.name, reasons.join("; "))),
        }
    }
    None
}

/// A value that asks for one to be chosen: a port, the processor model of the host.
fn is_chosen_at_the_start(element: &str, attribute: &str, value: &str) -> bool {
    match (element, attribute) {
        ("graphics", "port" | "tlsPort" | "websocket") => value == "-1",
        ("cpu", "mode" | "match" | "check") => true,
        ("source", "port" | "service") => value == "0",
        _ => false,
    }
}
