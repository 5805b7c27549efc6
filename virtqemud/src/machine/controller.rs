//! The list of controllers: numbering, and where a new one goes.

use virtbus_schema::domain::device::controller::{Controller, ControllerKind};

/// Numbers the controllers that have no index: each gets the lowest free one of its kind. The controllers of an ICH9 USB set
/// share a number: one that follows another of the set takes its.
pub(super) fn number(controllers: &mut [Controller]) {
    for at in 0..controllers.len() {
        let Some(it) = controllers.get(at) else { continue };
        if it.index.is_some() {
            continue;
        }
        let kind = it.kind;
        let before =
            at.checked_sub(1).and_then(|at| controllers.get(at)).filter(|before| is_ich9(it) && is_ich9(before));
        let shared = before.and_then(|before| before.index).filter(|index| {
            !controllers
                .iter()
                .any(|other| other.index == Some(*index) && other.kind == kind && other.model == it.model)
        });
        let taken: Vec<u32> = controllers.iter().filter(|it| it.kind == kind).filter_map(|it| it.index).collect();
        let index = shared.or_else(|| (0..).find(|number| !taken.contains(number)));
        if let Some(it) = controllers.get_mut(at) {
            it.index = index;
        }
    }
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
        if it.index > new.index {
            at = Some(position);
        } else if at.is_none() {
            at = Some(position + 1);
        }
    }
    controllers.insert(at.unwrap_or(controllers.len()), new);
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
