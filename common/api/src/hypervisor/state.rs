//! The state a domain is in, with its reason; numbers are libvirt 11.3's.

/// Declares an enum whose variants stand for libvirt's pair (type, detail).
macro_rules! numbered {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = ($number:literal, $detail:literal),)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)* }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// libvirt's first number.
            pub fn number(self) -> i32 {
                match self { $($name::$variant => $number,)* }
            }

            /// libvirt's second number: the detail or reason.
            pub fn detail(self) -> i32 {
                match self { $($name::$variant => $detail,)* }
            }

            /// The variant of a pair; `None` where there is none.
            pub fn from_numbers(number: i32, detail: i32) -> Option<$name> {
                match (number, detail) { $(($number, $detail) => Some($name::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use numbered;

numbered! {
    /// A domain's state with its reason (`virDomainState` and the reason enums).
    pub enum State {
        /// Running for an unknown reason.
        RunningUnknown = (1, 0),
        /// Running since its boot.
        RunningBooted = (1, 1),
        /// Running since a migration.
        RunningMigrated = (1, 2),
        /// Running since a restore.
        RunningRestored = (1, 3),
        /// Running since a revert to a snapshot.
        RunningFromSnapshot = (1, 4),
        /// Running again after a pause.
        RunningUnpaused = (1, 5),
        /// Running again after a migration was cancelled.
        RunningMigrationCanceled = (1, 6),
        /// Running again after a save was cancelled.
        RunningSaveCanceled = (1, 7),
        /// Woken up from sleep.
        RunningWakeup = (1, 8),
        /// Running on after a crash of the guest.
        RunningCrashed = (1, 9),
        /// Paused for an unknown reason.
        PausedUnknown = (3, 0),
        /// Paused by a user.
        PausedUser = (3, 1),
        /// Paused for a migration.
        PausedMigration = (3, 2),
        /// Paused for a save.
        PausedSave = (3, 3),
        /// Paused for a dump.
        PausedDump = (3, 4),
        /// Paused by an I/O error.
        PausedIoError = (3, 5),
        /// Paused by a watchdog.
        PausedWatchdog = (3, 6),
        /// Paused since a revert to a snapshot.
        PausedFromSnapshot = (3, 7),
        /// Paused while shutting down.
        PausedShuttingDown = (3, 8),
        /// Paused while a snapshot is taken.
        PausedSnapshot = (3, 9),
        /// Paused because the guest crashed.
        PausedCrashed = (3, 10),
        /// Being started.
        PausedStartingUp = (3, 11),
        /// Paused because a call failed in the middle.
        PausedApiError = (3, 14),
        /// Shutting down for an unknown reason.
        ShutdownUnknown = (4, 0),
        /// Shutting down on a user's request.
        ShutdownUser = (4, 1),
        /// Off for an unknown reason.
        ShutoffUnknown = (5, 0),
        /// Off: the guest shut down.
        ShutoffShutdown = (5, 1),
        /// Off: destroyed.
        ShutoffDestroyed = (5, 2),
        /// Off: QEMU crashed.
        ShutoffCrashed = (5, 3),
        /// Off: migrated away.
        ShutoffMigrated = (5, 4),
        /// Off: saved.
        ShutoffSaved = (5, 5),
        /// Off: it did not come up.
        ShutoffFailed = (5, 6),
        /// Off since a revert to a snapshot.
        ShutoffFromSnapshot = (5, 7),
        /// Off: the daemon ended it.
        ShutoffDaemon = (5, 8),
        /// Crashed for an unknown reason.
        CrashedUnknown = (6, 0),
        /// Crashed: the guest's kernel panicked.
        CrashedPanicked = (6, 1),
        /// Asleep (S3).
        PmSuspended = (7, 0),
    }
}

impl State {
    /// Whether there is a QEMU process: everything but off.
    pub fn is_active(self) -> bool {
        self.number() != 5
    }

    /// Whether the guest's vCPUs run.
    pub fn is_running(self) -> bool {
        self.number() == 1
    }

    /// Whether the guest is paused.
    pub fn is_paused(self) -> bool {
        self.number() == 3
    }

    /// The word `virsh domstate` shows, as error texts use it.
    pub fn word(self) -> &'static str {
        match self.number() {
            1 => "running",
            3 => "paused",
            4 => "in shutdown",
            5 => "shut off",
            6 => "crashed",
            7 => "pmsuspended",
            _ => "no state",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for state in State::ALL {
            assert_eq!(State::from_numbers(state.number(), state.detail()), Some(*state));
        }
    }
}
