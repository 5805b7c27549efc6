//! `org.libvirt.Domain`: what a guest is told and shown as if somebody sat before it: keys, consoles, its screen, its monitor.

use virtbus_api::{
    Error as ApiError,
    flags::{ChannelFlags, ConsoleFlags},
    hypervisor::KeyCodeSet,
};
use zbus::{OwnedFd, message::Header};

use super::Domain;
use crate::{
    error::Result,
    params::{no_flags, optional, word},
};

/// This part of the interface.
pub(super) struct Console(pub(super) Domain);

#[zbus::interface(name = "org.libvirt.Domain")]
impl Console {
    #[zbus(name = "InjectNMI")]
    async fn inject_nmi(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.0.check(&header, "domain:inject_nmi").await?;
        no_flags(flags, "virDomainInjectNMI")?;
        Ok(self.0.cx.driver.inject_nmi(&self.0.it).await?)
    }

    #[zbus(name = "PMWakeup")]
    async fn pm_wakeup(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.0.check(&header, "domain:pm_control").await?;
        no_flags(flags, "virDomainPMWakeup")?;
        Ok(self.0.cx.driver.pm_wakeup(&self.0.it).await?)
    }

    async fn send_key(
        &self,
        codeset: u32,
        holdtime: u32,
        keycodes: Vec<u32>,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.0.check(&header, "domain:send_input").await?;
        no_flags(flags, "virDomainSendKey")?;
        let set = KeyCodeSet::from_number(codeset)
            .ok_or_else(|| ApiError::invalid_arg(format!("codeset {codeset} is not one of 0 to 9")))?;
        Ok(self.0.cx.driver.send_key(&self.0.it, set, holdtime, &keycodes).await?)
    }

    // What libvirt-dbus lacks.
    /// Runs a monitor command: QMP as JSON, with flag 1 a human one.
    #[zbus(out_args("result"))]
    async fn monitor_command(&self, command: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<String> {
        const HMP: u32 = 1;
        self.0.check(&header, "domain:write").await?;
        no_flags(flags & !HMP, "virDomainQemuMonitorCommand")?;
        Ok(self.0.cx.driver.monitor_command(&self.0.it, command, flags & HMP != 0).await?)
    }

    /// A descriptor to read and write the channel of that name or alias; empty for the first one.
    #[zbus(out_args("fd"))]
    async fn open_channel(&self, name: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        self.0.check(&header, "domain:open_device").await?;
        let flags: ChannelFlags = word(flags, "virDomainOpenChannel")?;
        let stream = self.0.cx.driver.open_channel(&self.0.it, optional(name), flags).await?;
        self.0.cx.streams.duplex(stream)
    }

    /// A descriptor to read and write the console with that alias; empty for the first one.
    #[zbus(out_args("fd"))]
    async fn open_console(&self, device: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        self.0.check(&header, "domain:open_device").await?;
        let flags: ConsoleFlags = word(flags, "virDomainOpenConsole")?;
        let stream = self.0.cx.driver.open_console(&self.0.it, optional(device), flags).await?;
        self.0.cx.streams.duplex(stream)
    }

    /// The media type of a picture of the screen and a descriptor to read it from.
    #[zbus(out_args("mime", "fd"))]
    async fn screenshot(
        &self,
        screen: u32,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, OwnedFd)> {
        self.0.check(&header, "domain:screenshot").await?;
        no_flags(flags, "virDomainScreenshot")?;
        self.0.cx.streams.picture(self.0.cx.driver.screenshot(&self.0.it, screen).await?)
    }
}
