//! What taints a domain: use of it that nobody should be surprised by when it misbehaves.

use virtbus_schema::domain_status;

use super::Owner;

/// Names on file, and the words of `virsh dominfo`, as libvirt 11.3 has them.
const WORDS: &[(&str, &str)] = &[
    (Taint::CustomMonitor.0, "custom monitor control commands issued"),
    (Taint::HighPrivileges.0, "running with undesirable elevated privileges"),
    (Taint::CustomArgv.0, "custom configuration parameters specified"),
];

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taint(&'static str);

#[allow(non_upper_case_globals, reason = "they read like the variants they would be, were their names not what counts")]
impl Taint {
    /// Somebody spoke to QEMU himself.
    pub(crate) const CustomMonitor: Taint = Taint("custom-monitor");
    /// QEMU runs as root.
    pub(crate) const HighPrivileges: Taint = Taint("high-privileges");
    /// The document adds to QEMU's command line.
    pub(crate) const CustomArgv: Taint = Taint("custom-argv");

    /// The reason of this name on file.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        WORDS.iter().find(|row| row.0 == name).map(|row| Self(row.0))
    }

    /// For the status file.
    pub(super) fn to_file(self) -> domain_status::Taint {
        domain_status::Taint { flag: self.0.to_owned() }
    }

    /// As a message about the domain.
    pub(crate) fn message(self) -> String {
        let words = WORDS.iter().find(|row| row.0 == self.0).map_or(self.0, |row| row.1);
        format!("tainted: {words}")
    }
}

impl Owner {
    /// Notes a reason, once.
    pub(super) fn taint(&mut self, reason: Taint) {
        if let Some(live) = &mut self.view.live
            && !live.taints.contains(&reason)
        {
            tracing::warn!(domain = %self.view.name, id = live.id, "{}", reason.message());
            live.taints.push(reason);
            self.changed = true;
        }
    }
}
