//! The list of controllers: numbering, where a new one goes, and what of PCI a board cannot have.

use std::collections::{BTreeMap, BTreeSet};

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::controller::{Controller, ControllerKind};

use super::Board;

/// Numbers the controllers that have no index: each gets the lowest free one of its kind. The controllers of an ICH9 USB set
/// share a number: one that follows another of the set takes its.
pub(super) fn number(controllers: &mut Vec<Controller>) {
    let mut taken: BTreeMap<&'static str, BTreeSet<u32>> = BTreeMap::new();
    for it in controllers.iter() {
        taken.entry(it.kind.as_str()).or_default().extend(it.index);
    }
    // All below are taken.
    let mut lowest: BTreeMap<&'static str, u32> = BTreeMap::new();
    for at in 0..controllers.len() {
        let Some(it) = controllers.get(at) else { continue };
        if it.index.is_some() {
            continue;
        }
        let kind = it.kind;
        let before = controllers.iter().take(at).rev().find(|before| before.kind == kind);
        let before = before.filter(|before| is_ich9(it) && is_ich9(before));
        let shared = before.and_then(|before| before.index).filter(|index| {
            !controllers
                .iter()
                .any(|other| other.index == Some(*index) && other.kind == kind && other.model == it.model)
        });
        let taken = taken.entry(kind.as_str()).or_default();
        let lowest = lowest.entry(kind.as_str()).or_default();
        let index = shared.or_else(|| (*lowest..).find(|number| !taken.contains(number)));
        if let (None, Some(index)) = (shared, index) {
            *lowest = index;
        }
        taken.extend(index);
        if let Some(it) = controllers.get_mut(at) {
            it.index = index;
        }
        if shared.is_none() {
            continue;
        }
        // One that came behind its companions goes before them.
        let first = controllers.iter().position(|it| it.kind == kind && it.index == shared && it.is_companion());
        if let Some(first) = first.filter(|first| shared.is_some() && *first < at)
            && controllers.get(at).is_some_and(|it| !it.is_companion())
        {
            let it = controllers.remove(at);
            controllers.insert(first, it);
        }
    }
}

/// Orders the controllers of a document: of one kind by number where they have one, a USB controller before its companions.
pub(super) fn order(controllers: &mut Vec<Controller>) {
    let mut ordered = Vec::with_capacity(controllers.len());
    for it in controllers.drain(..) {
        insert(&mut ordered, it);
    }
    *controllers = ordered;
}

fn is_ich9(it: &Controller) -> bool {
    it.kind == ControllerKind::Usb && it.model.as_deref().is_some_and(|model| model.starts_with("ich9-"))
}

/// Adds a controller behind those of its kind with lower numbers, or at the end.
pub(super) fn insert(controllers: &mut Vec<Controller>, new: Controller) {
    let mut at = None;
    for (position, it) in controllers.iter().enumerate().rev() {
        if it.kind != new.kind {
            continue;
        }
        let is_later = new.index.is_some() && it.index > new.index;
        let accompanies = it.index == new.index && it.is_companion() && !new.is_companion();
        if is_later || (new.index.is_some() && accompanies) {
            at = Some(position);
        } else if at.is_none() {
            at = Some(position + 1);
        }
    }
    controllers.insert(at.unwrap_or(controllers.len()), new);
}

/// Whether a controller of the document can be on this board, and near a node there is. `cells` is how many the guest has.
///
/// # Errors
/// Expanders are of one board each, and a root is near no node.
pub(super) fn on_board(it: &Controller, board: Board, cells: usize) -> Result<()> {
    if it.kind != ControllerKind::Pci {
        return Ok(());
    }
    if it.is_root() && it.index.is_some_and(|it| it != 0) {
        return Err(Error::xml("pci-root and pcie-root controllers have index 0"));
    }
    if it.is_root() && it.info.address.is_some() {
        return Err(Error::unsupported_config("pci-root and pcie-root controllers have no address"));
    }
    let (index, model) = (it.index.unwrap_or(0), it.model.as_deref().unwrap_or_default());
    match (model, board) {
        ("pci-expander-bus", board) if board != Board::I440fx => {
            return Err(Error::unsupported_config("pci-expander-bus controllers are of i440FX machines only"));
        }
        ("pcie-expander-bus", board) if board != Board::Q35 => {
            return Err(Error::unsupported_config("pcie-expander-bus controllers are not supported with this machine"));
        }
        _ => {}
    }
    let Some(node) = it.target.as_ref().and_then(|it| it.node) else { return Ok(()) };
    if index == 0 {
        return Err(Error::unsupported_config("the PCI controller with index=0 is near no NUMA node"));
    }
    if usize::try_from(node).is_ok_and(|node| node < cells) {
        return Ok(());
    }
    Err(Error::xml(format!("{model} {index} is configured for NUMA node {node}, but the guest has {cells} cells")))
}

/// Adds a controller unless there is one of this kind and number.
pub(super) fn ensure(controllers: &mut Vec<Controller>, kind: ControllerKind, index: u32) {
    if !controllers.iter().any(|it| it.kind == kind && it.index == Some(index)) {
        insert(controllers, Controller::new(kind, index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ones_keep_the_order_within_their_kind() {
        let mut list = vec![
            Controller::new(ControllerKind::Usb, 0),
            Controller::new(ControllerKind::Pci, 1),
            Controller::new(ControllerKind::Pci, 3),
        ];
        insert(&mut list, Controller::new(ControllerKind::Sata, 0));
        insert(&mut list, Controller::new(ControllerKind::Pci, 0));
        insert(&mut list, Controller::new(ControllerKind::Pci, 2));
        let order: Vec<_> = list.iter().map(|it| (it.kind, it.index.unwrap_or(99))).collect();
        use ControllerKind::{Pci, Sata, Usb};
        assert_eq!(order, [(Usb, 0), (Pci, 0), (Pci, 1), (Pci, 2), (Pci, 3), (Sata, 0)]);
    }
}
