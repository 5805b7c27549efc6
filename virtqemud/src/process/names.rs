//! Names of the host's ends of network cards: `vnet0`, `macvtap0` and on.
//!
//! A name is given once in the life of a daemon, as the reference does it: what is left of a guest's end when the next one
//! comes is never taken for that one's.

use std::sync::atomic::{AtomicU32, Ordering};

use virtbus_host::tap;

/// Names that a document cannot ask for: they are made up here.
const MADE_UP: [&str; 3] = ["vnet", "macvtap", "macvlan"];

/// The names of taps and macvtap devices.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taps: AtomicU32,
    macvtaps: AtomicU32,
}

impl Names {
    /// A name for a tap. `wanted` is taken as it is, with a number for `%d`; without it, or when only a name that is made up
    /// here was asked for, it is `vnetN`.
    pub(crate) fn tap(&self, wanted: Option<&str>) -> String {
        free(&self.taps, "vnet", wanted)
    }

    /// The same of a macvtap device, `macvtapN`.
    pub(crate) fn macvtap(&self, wanted: Option<&str>) -> String {
        free(&self.macvtaps, "macvtap", wanted)
    }

    /// Notes a name that a guest has: found after a restart.
    pub(crate) fn note(&self, name: &str) {
        for (count, prefix) in [(&self.taps, "vnet"), (&self.macvtaps, "macvtap")] {
            if let Some(number) = name.strip_prefix(prefix).and_then(|it| it.parse::<u32>().ok()) {
                count.fetch_max(number.saturating_add(1), Ordering::Relaxed);
            }
        }
    }
}

fn free(count: &AtomicU32, prefix: &str, wanted: Option<&str>) -> String {
    let wanted = wanted.filter(|it| !MADE_UP.iter().any(|made_up| it.starts_with(made_up)));
    let name = |number: u32| match wanted {
        Some(wanted) => wanted.replacen("%d", &number.to_string(), 1),
        None => format!("{prefix}{number}"),
    };
    if let Some(fixed) = wanted.filter(|it| !it.contains("%d")) {
        return fixed.to_owned();
    }
    loop {
        let name = name(count.fetch_add(1, Ordering::Relaxed));
        if !tap::exists(&name) {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once() {
        let names = Names::default();
        assert_eq!(names.tap(None), "vnet0");
        assert_eq!(names.tap(Some("vnet0")), "vnet1");
        assert_eq!(names.tap(Some("guest%d")), "guest2");
        assert_eq!(names.tap(Some("own")), "own");
        assert_eq!(names.macvtap(Some("vnet9")), "macvtap0");
        names.note("macvtap6");
        names.note("macvtap2");
        names.note("vnet4294967295");
        names.note("other");
        assert_eq!(names.macvtap(None), "macvtap7");
    }
}
