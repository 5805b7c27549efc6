//! `org.libvirt.Domain`: one guest, its life and its documents. What else the interface has stands in its other parts.
//!
//! Method names and types are libvirt-dbus 1.4.1's, where it has them; console, channel, screenshot and monitor, which
//! it lacks, stand beside them.

mod console;
mod event;
mod figures;

use std::sync::Arc;

use virtbus_api::{
    DomainRef, Error as ApiError, HypervisorDriver, document,
    flags::{DestroyFlags, Impact, ListFilter, RebootFlags, ShutdownFlags, StartFlags, UndefineFlags, XmlFlags},
};
use zbus::message::Header;

use crate::{
    error::Result,
    front::Cx,
    objects::{Folder, Kind, One, Served},
    params::{metadata_kind, no_flags, optional, word},
    paths,
};

pub(crate) use event::Happening;

/// One guest.
pub type Domain = One<dyn HypervisorDriver, DomainRef>;

/// All domains.
pub(crate) fn kind(cx: &Arc<Cx<dyn HypervisorDriver>>) -> Box<dyn Kind> {
    Box::new(Folder {
        cx: cx.clone(),
        folder: paths::DOMAINS,
        list: |driver| driver.list(ListFilter::empty()),
        name: |it: &DomainRef| paths::uuid_name(it.uuid),
        find: |driver, name| Some(driver.lookup_by_uuid(paths::uuid_of(name)?)),
        served,
    })
}

/// The whole interface. Its signals are last and follow a method that ends with an answer: busctl 252 takes the direction
/// of the last argument for that of the signals behind it.
fn served(it: Domain) -> Served {
    let figures = figures::Figures(it.clone());
    let console = console::Console(it.clone());
    Served::of(it).and(figures).and(console).and(Happening)
}

#[zbus::interface(name = "org.libvirt.Domain")]
impl Domain {
    #[zbus(property)]
    async fn active(&self) -> Result<bool> {
        Ok(self.cx.driver.state(&self.it)?.is_active())
    }

    // Invalidated and not sent along: for the new value zbus would start an object server of its own on our connection.
    #[zbus(property(emits_changed_signal = "invalidates"))]
    async fn autostart(&self) -> Result<bool> {
        Ok(self.cx.driver.autostart(&self.it)?)
    }

    #[zbus(property)]
    async fn set_autostart(&self, autostart: bool, #[zbus(header)] header: Option<Header<'_>>) -> Result<()> {
        let header = header.ok_or_else(|| ApiError::internal("a property was set without a message"))?;
        self.check(&header, "domain:write").await?;
        Ok(self.cx.driver.set_autostart(&self.it, autostart).await?)
    }

    /// The runtime id; 0 while the domain is off.
    #[zbus(property)]
    async fn id(&self) -> u32 {
        self.it.id.unwrap_or(0)
    }

    #[zbus(property)]
    async fn name(&self) -> String {
        self.it.name.clone()
    }

    #[zbus(property(emits_changed_signal = "const"), name = "OSType")]
    async fn os_type(&self) -> Result<String> {
        Ok(self.cx.driver.os_type(&self.it)?)
    }

    #[zbus(property)]
    async fn persistent(&self) -> Result<bool> {
        Ok(self.cx.driver.is_persistent(&self.it)?)
    }

    #[zbus(property)]
    async fn updated(&self) -> Result<bool> {
        Ok(self.cx.driver.is_updated(&self.it)?)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.it.uuid.hyphenated().to_string()
    }

    /// State and reason, as `GetState` has them.
    #[zbus(property)]
    async fn state(&self) -> Result<(i32, i32)> {
        let state = self.cx.driver.state(&self.it)?;
        Ok((state.number(), state.detail()))
    }

    /// Whether it starts with the host the next time, and only then.
    #[zbus(out_args("autostart"))]
    async fn get_autostart_once(&self) -> Result<bool> {
        Ok(self.cx.driver.autostart_once(&self.it)?)
    }

    async fn set_autostart_once(&self, autostart: bool, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:write").await?;
        Ok(self.cx.driver.set_autostart_once(&self.it, autostart).await?)
    }

    async fn create(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:start").await?;
        let flags: StartFlags = word(flags, "virDomainCreateWithFlags")?;
        self.cx.driver.start(&self.it, flags, self.cx.lease.lease()).await?;
        Ok(())
    }

    async fn destroy(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:stop").await?;
        let flags: DestroyFlags = word(flags, "virDomainDestroyFlags")?;
        Ok(self.cx.driver.destroy(&self.it, flags).await?)
    }

    #[zbus(out_args("metadata"))]
    async fn get_metadata(&self, r#type: i32, uri: &str, flags: u32) -> Result<String> {
        let impact: Impact = word(flags, "virDomainGetMetadata")?;
        Ok(self.cx.driver.metadata(&self.it, &metadata_kind(r#type, uri)?, impact)?)
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<String> {
        let flags: XmlFlags = word(flags, "virDomainGetXMLDesc")?;
        if flags.intersects(XmlFlags::SECURE | XmlFlags::MIGRATABLE) {
            self.check(&header, "domain:read_secure").await?;
        }
        let domain = self.cx.driver.xml(&self.it, flags)?;
        Ok(document::format_domain(&domain, flags))
    }

    async fn reboot(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:init_control").await?;
        let flags: RebootFlags = word(flags, "virDomainReboot")?;
        Ok(self.cx.driver.reboot(&self.it, flags).await?)
    }

    async fn rename(&self, name: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:save").await?;
        no_flags(flags, "virDomainRename")?;
        Ok(self.cx.driver.rename(&self.it, name).await?)
    }

    async fn reset(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:reset").await?;
        no_flags(flags, "virDomainReset")?;
        Ok(self.cx.driver.reset(&self.it).await?)
    }

    async fn resume(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:suspend").await?;
        Ok(self.cx.driver.resume(&self.it).await?)
    }

    /// An empty text removes the metadata.
    async fn set_metadata(
        &self,
        r#type: i32,
        metadata: &str,
        key: &str,
        uri: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.check(&header, "domain:write").await?;
        let impact: Impact = word(flags, "virDomainSetMetadata")?;
        let (value, key) = (optional(metadata).map(str::to_owned), optional(key).map(str::to_owned));
        let kind = metadata_kind(r#type, uri)?;
        Ok(self.cx.driver.set_metadata(&self.it, kind, value, key, impact).await?)
    }

    async fn shutdown(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:init_control").await?;
        let flags: ShutdownFlags = word(flags, "virDomainShutdownFlags")?;
        Ok(self.cx.driver.shutdown(&self.it, flags).await?)
    }

    async fn suspend(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:suspend").await?;
        Ok(self.cx.driver.suspend(&self.it).await?)
    }

    async fn undefine(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:delete").await?;
        let flags: UndefineFlags = word(flags, "virDomainUndefineFlags")?;
        Ok(self.cx.driver.undefine(&self.it, flags).await?)
    }
}
