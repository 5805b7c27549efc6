//! Which D-Bus a daemon belongs on. It speaks no D-Bus itself.

use crate::paths::{Mode, Paths};

/// The bus of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// The system bus, or the one that `DBUS_SYSTEM_BUS_ADDRESS` names.
    System,
    /// The user's bus.
    Session,
}

/// The bus that a daemon with these paths takes its name on.
///
/// Below `--root` it is `None` unless `DBUS_SYSTEM_BUS_ADDRESS` names a bus of the stack's own: a second stack must
/// never take a name on the host's bus.
pub fn of(paths: &Paths) -> Option<Bus> {
    choose(paths.mode(), std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_some())
}

/// Whether daemons with these paths ask polkit, which lives on the system bus.
pub fn is_polkit_asked(paths: &Paths) -> bool {
    of(paths) == Some(Bus::System)
}

fn choose(mode: &Mode, is_named: bool) -> Option<Bus> {
    match mode {
        Mode::System => Some(Bus::System),
        Mode::Session => Some(Bus::Session),
        Mode::Root(_) => is_named.then_some(Bus::System),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_of_its_own_needs_a_bus_of_its_own() {
        let root = Mode::Root("/r".into());
        assert_eq!((choose(&root, false), choose(&root, true)), (None, Some(Bus::System)));
        assert_eq!(choose(&Mode::System, false), Some(Bus::System));
        assert_eq!(choose(&Mode::Session, true), Some(Bus::Session));
    }
}
