//! The words of states and reasons in status files (`<domstatus state='paused' reason='user'>`).
//!
//! The numbers are the API's; only the spelling is decided here, and it is libvirt 11.3's, so that a host can move over
//! and back with its guests running.

use virtbus_api::hypervisor::State;

const WORDS: &[(State, &str, &str)] = &[
    (State::RunningUnknown, "running", "unknown"),
    (State::RunningBooted, "running", "booted"),
    (State::RunningMigrated, "running", "migrated"),
    (State::RunningRestored, "running", "restored"),
    (State::RunningFromSnapshot, "running", "from snapshot"),
    (State::RunningUnpaused, "running", "unpaused"),
    (State::RunningMigrationCanceled, "running", "migration canceled"),
    (State::RunningSaveCanceled, "running", "save canceled"),
    (State::RunningWakeup, "running", "wakeup"),
    (State::RunningCrashed, "running", "crashed"),
    (State::PausedUnknown, "paused", "unknown"),
    (State::PausedUser, "paused", "user"),
    (State::PausedMigration, "paused", "migration"),
    (State::PausedSave, "paused", "save"),
    (State::PausedDump, "paused", "dump"),
    (State::PausedIoError, "paused", "ioerror"),
    (State::PausedWatchdog, "paused", "watchdog"),
    (State::PausedFromSnapshot, "paused", "from snapshot"),
    (State::PausedShuttingDown, "paused", "shutdown"),
    (State::PausedSnapshot, "paused", "snapshot"),
    (State::PausedCrashed, "paused", "panicked"),
    (State::PausedStartingUp, "paused", "starting up"),
    (State::PausedApiError, "paused", "api error"),
    (State::ShutdownUnknown, "shutdown", "unknown"),
    (State::ShutdownUser, "shutdown", "user"),
    (State::ShutoffUnknown, "shutoff", "unknown"),
    (State::ShutoffShutdown, "shutoff", "shutdown"),
    (State::ShutoffDestroyed, "shutoff", "destroyed"),
    (State::ShutoffCrashed, "shutoff", "crashed"),
    (State::ShutoffMigrated, "shutoff", "migrated"),
    (State::ShutoffSaved, "shutoff", "saved"),
    (State::ShutoffFailed, "shutoff", "failed"),
    (State::ShutoffFromSnapshot, "shutoff", "from snapshot"),
    (State::ShutoffDaemon, "shutoff", "daemon"),
    (State::CrashedUnknown, "crashed", "unknown"),
    (State::CrashedPanicked, "crashed", "panicked"),
    (State::PmSuspended, "pmsuspended", "unknown"),
];

/// State and reason as words.
pub(crate) fn words(state: State) -> (&'static str, &'static str) {
    WORDS.iter().find(|row| row.0 == state).map_or(("nostate", "unknown"), |row| (row.1, row.2))
}

/// The state of a pair of words; a reason nobody knows counts as unknown.
pub(crate) fn from_words(state: &str, reason: &str) -> Option<State> {
    let find = |reason: &str| WORDS.iter().find(|row| row.1 == state && row.2 == reason).map(|row| row.0);
    find(reason).or_else(|| find("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_words_of_its_own() {
        for state in State::ALL {
            let (word, reason) = words(*state);
            assert_eq!(from_words(word, reason), Some(*state));
        }
        assert_eq!(from_words("paused", "no such reason"), Some(State::PausedUnknown));
        assert_eq!(from_words("elsewhere", "unknown"), None);
    }
}
