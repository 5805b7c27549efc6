//! `org.libvirt.Domain`: one guest.
//!
//! Method names and types are libvirt-dbus 1.4.1's, where it has them; console, channel, screenshot and monitor, which
//! it lacks, stand beside them.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;
use virtbus_api::{
    DomainRef, Error as ApiError, ErrorCode, HypervisorDriver, document,
    flags::{
        ChannelFlags, ConsoleFlags, DestroyFlags, Impact, ListFilter, RebootFlags, ShutdownFlags, StartFlags,
        UndefineFlags, VcpuFlags, XmlFlags,
    },
    hypervisor::{AddressSource, KeyCodeSet},
};
use zbus::{OwnedFd, OwnedVariant, message::Header, object_server::SignalEmitter};

use crate::{
    error::Result,
    front::Cx,
    objects::{Kind, Served},
    params::{self, metadata_kind, no_flags, optional, word},
    paths,
};

/// The object of one domain; it holds no state but the UUID.
#[derive(Debug)]
pub struct Domain {
    cx: Arc<Cx<dyn HypervisorDriver>>,
    uuid: Uuid,
}

/// All domains.
struct Domains(Arc<Cx<dyn HypervisorDriver>>);

/// All domains.
pub(crate) fn kind(cx: &Arc<Cx<dyn HypervisorDriver>>) -> Box<dyn Kind> {
    Box::new(Domains(cx.clone()))
}

impl Kind for Domains {
    fn folder(&self) -> &'static str {
        paths::DOMAINS
    }

    fn names(&self) -> Vec<String> {
        self.0.driver.list(ListFilter::empty()).iter().map(|it| paths::uuid_name(it.uuid)).collect()
    }

    fn find(&self, name: &str) -> Option<Result<Served>> {
        let uuid = paths::uuid_of(name)?;
        let known = self.0.driver.lookup_by_uuid(uuid).map_err(Into::into);
        Some(known.map(|_| Served::of(Domain { cx: self.0.clone(), uuid })))
    }
}

impl Domain {
    fn target(&self) -> DomainRef {
        DomainRef::of_uuid(self.uuid)
    }

    fn known(&self) -> Result<DomainRef> {
        Ok(self.cx.driver.lookup_by_uuid(self.uuid)?)
    }

    async fn check(&self, header: &Header<'_>, right: &str) -> Result<()> {
        self.cx.access.check(header, right).await
    }
}

/// The job's type and eleven figures, as `virDomainJobInfo` has them.
type JobFigures = (i32, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

#[zbus::interface(name = "org.libvirt.Domain")]
impl Domain {
    #[zbus(property)]
    pub(crate) async fn active(&self) -> Result<bool> {
        Ok(self.cx.driver.state(&self.target())?.is_active())
    }

    // Invalidated and not sent along: for the new value zbus would start an object server of its own on our connection.
    #[zbus(property(emits_changed_signal = "invalidates"))]
    pub(crate) async fn autostart(&self) -> Result<bool> {
        Ok(self.cx.driver.autostart(&self.target())?)
    }

    #[zbus(property)]
    async fn set_autostart(&self, autostart: bool, #[zbus(header)] header: Option<Header<'_>>) -> Result<()> {
        let header = header.ok_or_else(|| ApiError::internal("a property was set without a message"))?;
        self.check(&header, "domain:write").await?;
        Ok(self.cx.driver.set_autostart(&self.target(), autostart).await?)
    }

    /// The runtime id; 0 while the domain is off.
    #[zbus(property)]
    pub(crate) async fn id(&self) -> Result<u32> {
        Ok(self.known()?.id.unwrap_or(0))
    }

    #[zbus(property)]
    pub(crate) async fn name(&self) -> Result<String> {
        Ok(self.known()?.name)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "OSType")]
    async fn os_type(&self) -> Result<String> {
        Ok(self.cx.driver.os_type(&self.target())?)
    }

    #[zbus(property)]
    pub(crate) async fn persistent(&self) -> Result<bool> {
        Ok(self.cx.driver.is_persistent(&self.target())?)
    }

    #[zbus(property)]
    pub(crate) async fn updated(&self) -> Result<bool> {
        Ok(self.cx.driver.is_updated(&self.target())?)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    async fn uuid(&self) -> String {
        self.uuid.hyphenated().to_string()
    }

    /// State and reason, as `GetState` has them.
    #[zbus(property)]
    pub(crate) async fn state(&self) -> Result<(i32, i32)> {
        let state = self.cx.driver.state(&self.target())?;
        Ok((state.number(), state.detail()))
    }

    async fn abort_job(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:write").await?;
        Ok(self.cx.driver.abort_job(&self.target()).await?)
    }

    async fn create(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:start").await?;
        let flags: StartFlags = word(flags, "virDomainCreateWithFlags")?;
        self.cx.driver.start(&self.target(), flags, self.cx.lease.lease()).await?;
        Ok(())
    }

    async fn destroy(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:stop").await?;
        let flags: DestroyFlags = word(flags, "virDomainDestroyFlags")?;
        Ok(self.cx.driver.destroy(&self.target(), flags).await?)
    }

    /// State, details and since when in milliseconds.
    #[zbus(out_args("controlInfo"))]
    async fn get_control_info(&self, flags: u32) -> Result<((u32, u32, u64),)> {
        no_flags(flags, "virDomainGetControlInfo")?;
        let it = self.cx.driver.control_info(&self.target())?;
        Ok(((it.state, it.details, it.since_ms),))
    }

    /// State, memory limit and memory in KiB, vCPUs, CPU time in nanoseconds.
    #[zbus(out_args("info"))]
    async fn get_info(&self) -> Result<((i32, u64, u64, u32, u64),)> {
        let it = self.cx.driver.info(&self.target())?;
        Ok(((it.state.number(), it.max_memory_kib, it.memory_kib, it.vcpus, it.cpu_time_ns),))
    }

    #[zbus(out_args("jobInfo"))]
    async fn get_job_info(&self) -> Result<(JobFigures,)> {
        let it = self.cx.driver.job_info(&self.target(), false)?;
        let figure = |field: &str| {
            it.params.iter().find(|it| it.field == field).map_or(0, |it| match it.value {
                virtbus_api::ParamValue::Ullong(value) => value,
                _ => 0,
            })
        };
        let [total, done, left] = ["data_total", "data_processed", "data_remaining"].map(figure);
        let [memory_total, memory_done, memory_left] =
            ["memory_total", "memory_processed", "memory_remaining"].map(figure);
        let [disk_total, disk_done, disk_left] = ["disk_total", "disk_processed", "disk_remaining"].map(figure);
        let remaining = figure("time_remaining");
        Ok(((
            it.kind,
            it.elapsed_ms,
            remaining,
            total,
            done,
            left,
            memory_total,
            memory_done,
            memory_left,
            disk_total,
            disk_done,
            disk_left,
        ),))
    }

    /// With flag 1 of the job that ended last.
    #[zbus(out_args("stats"))]
    async fn get_job_stats(&self, flags: u32) -> Result<((i32, HashMap<String, OwnedVariant>),)> {
        const COMPLETED: u32 = 1;
        no_flags(flags & !COMPLETED, "virDomainGetJobStats")?;
        let it = self.cx.driver.job_info(&self.target(), flags & COMPLETED != 0)?;
        Ok(((it.kind, params::to_dict(it.params)),))
    }

    /// Memory limit in KiB.
    #[zbus(out_args("memory"))]
    async fn get_max_memory(&self) -> Result<u64> {
        Ok(self.cx.driver.max_memory(&self.target())?)
    }

    #[zbus(out_args("metadata"))]
    async fn get_metadata(&self, r#type: i32, uri: &str, flags: u32) -> Result<String> {
        let impact: Impact = word(flags, "virDomainGetMetadata")?;
        Ok(self.cx.driver.metadata(&self.target(), &metadata_kind(r#type, uri)?, impact)?)
    }

    #[zbus(out_args("state"))]
    async fn get_state(&self, flags: u32) -> Result<((i32, i32),)> {
        no_flags(flags, "virDomainGetState")?;
        let state = self.cx.driver.state(&self.target())?;
        Ok(((state.number(), state.detail()),))
    }

    #[zbus(out_args("vcpus"))]
    async fn get_vcpus(&self, flags: u32) -> Result<u32> {
        let flags: VcpuFlags = word(flags, "virDomainGetVcpusFlags")?;
        Ok(self.cx.driver.vcpus(&self.target(), flags)?)
    }

    #[zbus(name = "GetXMLDesc", out_args("xml"))]
    async fn get_xml_desc(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<String> {
        let flags: XmlFlags = word(flags, "virDomainGetXMLDesc")?;
        if flags.intersects(XmlFlags::SECURE | XmlFlags::MIGRATABLE) {
            self.check(&header, "domain:read_secure").await?;
        }
        let domain = self.cx.driver.xml(&self.target(), flags)?;
        Ok(document::format_domain(&domain, flags))
    }

    #[zbus(out_args("managedSaveImage"))]
    async fn has_managed_save_image(&self, flags: u32) -> Result<bool> {
        no_flags(flags, "virDomainHasManagedSaveImage")?;
        Ok(self.cx.driver.has_managed_save(&self.target())?)
    }

    #[zbus(name = "InjectNMI")]
    async fn inject_nmi(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:inject_nmi").await?;
        no_flags(flags, "virDomainInjectNMI")?;
        Ok(self.cx.driver.inject_nmi(&self.target()).await?)
    }

    #[zbus(name = "PMWakeup")]
    async fn pm_wakeup(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:pm_control").await?;
        no_flags(flags, "virDomainPMWakeup")?;
        Ok(self.cx.driver.pm_wakeup(&self.target()).await?)
    }

    async fn reboot(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:init_control").await?;
        let flags: RebootFlags = word(flags, "virDomainReboot")?;
        Ok(self.cx.driver.reboot(&self.target(), flags).await?)
    }

    async fn rename(&self, name: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:save").await?;
        no_flags(flags, "virDomainRename")?;
        Ok(self.cx.driver.rename(&self.target(), name).await?)
    }

    async fn reset(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:reset").await?;
        no_flags(flags, "virDomainReset")?;
        Ok(self.cx.driver.reset(&self.target()).await?)
    }

    async fn resume(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:suspend").await?;
        Ok(self.cx.driver.resume(&self.target()).await?)
    }

    async fn send_key(
        &self,
        codeset: u32,
        holdtime: u32,
        keycodes: Vec<u32>,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        self.check(&header, "domain:send_input").await?;
        no_flags(flags, "virDomainSendKey")?;
        let set = KeyCodeSet::from_number(codeset)
            .ok_or_else(|| ApiError::invalid_arg(format!("codeset {codeset} is not one of 0 to 9")))?;
        Ok(self.cx.driver.send_key(&self.target(), set, holdtime, &keycodes).await?)
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
        Ok(self.cx.driver.set_metadata(&self.target(), kind, value, key, impact).await?)
    }

    async fn shutdown(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:init_control").await?;
        let flags: ShutdownFlags = word(flags, "virDomainShutdownFlags")?;
        Ok(self.cx.driver.shutdown(&self.target(), flags).await?)
    }

    async fn suspend(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:suspend").await?;
        Ok(self.cx.driver.suspend(&self.target()).await?)
    }

    async fn undefine(&self, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.check(&header, "domain:delete").await?;
        let flags: UndefineFlags = word(flags, "virDomainUndefineFlags")?;
        Ok(self.cx.driver.undefine(&self.target(), flags).await?)
    }

    /// Interfaces with name, MAC address and addresses: family (0 IPv4, 1 IPv6), address, prefix.
    #[zbus(out_args("ifaces"))]
    async fn interface_addresses(
        &self,
        source: u32,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<(String, String, Vec<(i32, String, u32)>)>> {
        self.check(&header, "domain:read").await?;
        no_flags(flags, "virDomainInterfaceAddresses")?;
        let unknown =
            || ApiError::new(ErrorCode::ArgumentUnsupported, format!("Unknown IP address data source {source}"));
        let source = AddressSource::from_number(source).ok_or_else(unknown)?;
        if source == AddressSource::Agent {
            self.check(&header, "domain:write").await?;
        }
        let found = self.cx.driver.interface_addresses(&self.target(), source).await?;
        Ok(found
            .into_iter()
            .map(|it| {
                let one = |(address, prefix): (std::net::IpAddr, u32)| {
                    (i32::from(address.is_ipv6()), address.to_string(), prefix)
                };
                (it.name, it.mac.unwrap_or_default(), it.addresses.into_iter().map(one).collect())
            })
            .collect())
    }

    // What libvirt-dbus lacks. These end with an answer: busctl 252 takes the direction of the last argument for that of
    // the signals behind it.
    /// Runs a monitor command: QMP as JSON, with flag 1 a human one.
    #[zbus(out_args("result"))]
    async fn monitor_command(&self, command: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<String> {
        const HMP: u32 = 1;
        self.check(&header, "domain:write").await?;
        no_flags(flags & !HMP, "virDomainQemuMonitorCommand")?;
        Ok(self.cx.driver.monitor_command(&self.target(), command, flags & HMP != 0).await?)
    }

    /// A descriptor to read and write the channel of that name or alias; empty for the first one.
    #[zbus(out_args("fd"))]
    async fn open_channel(&self, name: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        self.check(&header, "domain:open_device").await?;
        let flags: ChannelFlags = word(flags, "virDomainOpenChannel")?;
        let stream = self.cx.driver.open_channel(&self.target(), optional(name), flags).await?;
        self.cx.streams.duplex(stream)
    }

    /// A descriptor to read and write the console with that alias; empty for the first one.
    #[zbus(out_args("fd"))]
    async fn open_console(&self, device: &str, flags: u32, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd> {
        self.check(&header, "domain:open_device").await?;
        let flags: ConsoleFlags = word(flags, "virDomainOpenConsole")?;
        let stream = self.cx.driver.open_console(&self.target(), optional(device), flags).await?;
        self.cx.streams.duplex(stream)
    }

    /// The media type of a picture of the screen and a descriptor to read it from.
    #[zbus(out_args("mime", "fd"))]
    async fn screenshot(
        &self,
        screen: u32,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, OwnedFd)> {
        self.check(&header, "domain:screenshot").await?;
        no_flags(flags, "virDomainScreenshot")?;
        self.cx.streams.picture(self.cx.driver.screenshot(&self.target(), screen).await?)
    }

    #[zbus(signal)]
    pub(crate) async fn agent_event(emitter: &SignalEmitter<'_>, state: i32, reason: i32) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn balloon_change(emitter: &SignalEmitter<'_>, actual: u64) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn control_error(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn device_added(emitter: &SignalEmitter<'_>, device: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn device_removal_failed(emitter: &SignalEmitter<'_>, device: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn device_removed(emitter: &SignalEmitter<'_>, device: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn disk_change(
        emitter: &SignalEmitter<'_>,
        old: &str,
        new: &str,
        device: &str,
        reason: i32,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn graphics(
        emitter: &SignalEmitter<'_>,
        phase: i32,
        local: (i32, String, String),
        remote: (i32, String, String),
        auth_scheme: &str,
        identities: Vec<(String, String)>,
    ) -> zbus::Result<()>;

    #[zbus(signal, name = "IOError")]
    pub(crate) async fn io_error(
        emitter: &SignalEmitter<'_>,
        path: &str,
        device: &str,
        action: i32,
        reason: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn job_completed(
        emitter: &SignalEmitter<'_>,
        params: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn metadata_change(emitter: &SignalEmitter<'_>, r#type: i32, nsuri: &str) -> zbus::Result<()>;

    /// An event of QEMU's monitor: its name, seconds, microseconds, and its data as JSON.
    #[zbus(signal)]
    pub(crate) async fn monitor_event(
        emitter: &SignalEmitter<'_>,
        event: &str,
        seconds: i64,
        micros: u32,
        details: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal, name = "PMSuspend")]
    pub(crate) async fn pm_suspend(emitter: &SignalEmitter<'_>, reason: i32) -> zbus::Result<()>;

    #[zbus(signal, name = "PMSuspendDisk")]
    pub(crate) async fn pm_suspend_disk(emitter: &SignalEmitter<'_>, reason: i32) -> zbus::Result<()>;

    #[zbus(signal, name = "PMWakeup")]
    pub(crate) async fn pm_wakeup_signal(emitter: &SignalEmitter<'_>, reason: i32) -> zbus::Result<()>;

    #[zbus(signal, name = "Reboot")]
    pub(crate) async fn rebooted(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal, name = "RTCChange")]
    pub(crate) async fn rtc_change(emitter: &SignalEmitter<'_>, utcoffset: i64) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn tray_change(emitter: &SignalEmitter<'_>, device: &str, reason: i32) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn tunable(emitter: &SignalEmitter<'_>, params: HashMap<String, OwnedVariant>)
    -> zbus::Result<()>;

    #[zbus(signal)]
    pub(crate) async fn watchdog(emitter: &SignalEmitter<'_>, action: i32) -> zbus::Result<()>;
}
