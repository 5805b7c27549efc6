//! `org.libvirt.Connect`: what every engine says of its connection.

/// This part of the interface, with the connection's URI (`qemu:///system`).
pub(super) struct Session(pub(super) String);

#[zbus::interface(name = "org.libvirt.Connect")]
impl Session {
    #[zbus(property(emits_changed_signal = "const"))]
    async fn encrypted(&self) -> bool {
        false
    }

    /// Messages travel over a local bus that authenticates its users.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn secure(&self) -> bool {
        true
    }

    /// The connection's URI, for example `qemu:///system`.
    #[zbus(property(emits_changed_signal = "const"), name = "URI")]
    async fn uri(&self) -> String {
        self.0.clone()
    }
}
