//! `org.libvirt.Connect`: the hypervisor and the host it runs on. Each other engine's part of the interface is a child.

pub mod network;
mod session;
pub mod storage;

use std::{collections::HashMap, sync::Arc};

use virtbus_api::{
    DomainRef, Error as ApiError, HypervisorDriver, document,
    flags::{BaselineFlags, CompareFlags, DefineFlags, ListFilter, StartFlags, XmlFlags},
    hypervisor::Emulated,
};
use zbus::{ObjectPath, OwnedObjectPath, OwnedVariant, message::Header, object_server::SignalEmitter};

use self::session::Session;
use crate::{
    error::Result,
    front::Cx,
    objects::Served,
    params::{self, optional, word},
    paths,
};

/// The object at the root.
#[derive(Debug)]
pub struct Connect {
    cx: Arc<Cx<dyn HypervisorDriver>>,
}

/// The interface of the root.
pub(crate) fn served(cx: &Arc<Cx<dyn HypervisorDriver>>) -> Served {
    Served::of(Connect { cx: cx.clone() }).and(Session(cx.driver.uri()))
}

/// The kind of guest that is asked about.
fn emulated<'a>(emulator: &'a str, arch: &'a str, machine: &'a str, virttype: &'a str) -> Emulated<'a> {
    Emulated {
        emulator: optional(emulator),
        arch: optional(arch),
        machine: optional(machine),
        virt: optional(virttype),
    }
}

/// The path of a domain that was found.
fn found(domain: virtbus_api::Result<DomainRef>) -> Result<OwnedObjectPath> {
    Ok(paths::domain(domain?.uuid))
}

/// The names and types of methods and properties are libvirt-dbus 1.4.1's, where it has them.
#[zbus::interface(name = "org.libvirt.Connect")]
impl Connect {
    #[zbus(property(emits_changed_signal = "false"))]
    async fn hostname(&self) -> Result<String> {
        Ok(self.cx.driver.hostname()?)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn lib_version(&self) -> u64 {
        self.cx.driver.library_version()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    async fn version(&self) -> Result<u64> {
        Ok(self.cx.driver.hypervisor_version().await?)
    }

    /// The hypervisor's name: `QEMU`.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn hypervisor_type(&self) -> String {
        self.cx.driver.hypervisor_type()
    }

    #[zbus(name = "DomainCreateXML", out_args("domain"))]
    async fn domain_create_xml(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.cx.access.check(&header, "domain:start").await?;
        let flags: StartFlags = word(flags, "virDomainCreateXML")?;
        let domain = document::parse_domain(xml, flags.contains(StartFlags::VALIDATE))?;
        let domain = self.cx.driver.create(domain, flags, self.cx.lease.lease()).await;
        found(domain)
    }

    #[zbus(name = "DomainDefineXML", out_args("domain"))]
    async fn domain_define_xml(&self, xml: &str, #[zbus(header)] header: Header<'_>) -> Result<OwnedObjectPath> {
        self.define(xml, DefineFlags::empty(), &header).await
    }

    /// `DomainDefineXML` with flags: 1 validates the document.
    #[zbus(name = "DomainDefineXMLFlags", out_args("domain"))]
    async fn domain_define_xml_flags(
        &self,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        self.define(xml, word(flags, "virDomainDefineXMLFlags")?, &header).await
    }

    #[zbus(name = "DomainLookupByID", out_args("domain"))]
    async fn domain_lookup_by_id(&self, id: i32) -> Result<OwnedObjectPath> {
        let id = u32::try_from(id).map_err(|_| ApiError::invalid_arg(format!("domain id {id} is negative")))?;
        found(self.cx.driver.lookup_by_id(id))
    }

    #[zbus(out_args("domain"))]
    async fn domain_lookup_by_name(&self, name: &str) -> Result<OwnedObjectPath> {
        found(self.cx.driver.lookup_by_name(name))
    }

    #[zbus(name = "DomainLookupByUUID", out_args("domain"))]
    async fn domain_lookup_by_uuid(&self, uuid: &str) -> Result<OwnedObjectPath> {
        found(self.cx.driver.lookup_by_uuid(params::uuid(uuid)?))
    }

    #[zbus(out_args("domains"))]
    async fn list_domains(&self, flags: u32) -> Result<Vec<OwnedObjectPath>> {
        let filter: ListFilter = word(flags, "virConnectListAllDomains")?;
        Ok(self.cx.driver.list(filter).iter().map(|it| paths::domain(it.uuid)).collect())
    }

    #[zbus(out_args("capabilities"))]
    async fn get_capabilities(&self) -> Result<String> {
        Ok(self.cx.driver.capabilities().await?.to_xml())
    }

    /// Empty strings stand for "the default".
    #[zbus(out_args("domCapabilities"))]
    async fn get_domain_capabilities(
        &self,
        emulatorbin: &str,
        arch: &str,
        machine: &str,
        virttype: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String> {
        self.cx.access.check(&header, "connect:write").await?;
        params::no_flags(flags, "virConnectGetDomainCapabilities")?;
        let [emulator, arch, machine, virt] = [emulatorbin, arch, machine, virttype].map(optional);
        let document = self.cx.driver.domain_capabilities(emulator, arch, machine, virt).await?;
        Ok(document.to_xml())
    }

    /// The most that all of these CPUs have, as a guest's CPU.
    #[zbus(name = "BaselineCPU", out_args("cpu"))]
    async fn baseline_cpu(&self, xml_cpus: Vec<String>, flags: u32) -> Result<String> {
        let flags: BaselineFlags = params::word(flags, "virConnectBaselineCPU")?;
        let cpus = xml_cpus.iter().map(|it| document::parse_known_cpu(it)).collect::<virtbus_api::Result<_>>()?;
        Ok(document::format_cpu(&self.cx.driver.baseline_cpu(cpus, flags).await?))
    }

    /// How the host's CPU compares: 0 incompatible, 1 identical, 2 superset.
    #[zbus(name = "CompareCPU", out_args("result"))]
    async fn compare_cpu(&self, xmldesc: &str, flags: u32) -> Result<i32> {
        let flags: CompareFlags = params::word(flags, "virConnectCompareCPU")?;
        let cpu = document::parse_cpu(xmldesc, flags.contains(CompareFlags::VALIDATE_XML))?;
        Ok(self.cx.driver.compare_cpu(cpu).await?.answer(flags)?)
    }

    /// The most that guests of an emulator can have of all of these CPUs; empty strings stand for "the default".
    #[zbus(name = "BaselineHypervisorCPU", out_args("cpu"))]
    #[allow(clippy::too_many_arguments, reason = "the interface has them")]
    async fn baseline_hypervisor_cpu(
        &self,
        emulator: &str,
        arch: &str,
        machine: &str,
        virttype: &str,
        xml_cpus: Vec<String>,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String> {
        self.cx.access.check(&header, "connect:write").await?;
        let flags: BaselineFlags = params::word(flags, "virConnectBaselineHypervisorCPU")?;
        let cpus = xml_cpus.iter().map(|it| document::parse_cpu(it, false)).collect::<virtbus_api::Result<_>>()?;
        let of = emulated(emulator, arch, machine, virttype);
        Ok(document::format_cpu(&self.cx.driver.baseline_cpu_for(of, cpus, flags).await?))
    }

    /// How the CPU that guests of an emulator can have compares: 0 incompatible, 1 identical, 2 superset.
    #[zbus(name = "CompareHypervisorCPU", out_args("result"))]
    #[allow(clippy::too_many_arguments, reason = "the interface has them")]
    async fn compare_hypervisor_cpu(
        &self,
        emulator: &str,
        arch: &str,
        machine: &str,
        virttype: &str,
        xml_cpu: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<i32> {
        self.cx.access.check(&header, "connect:write").await?;
        let flags: CompareFlags = params::word(flags, "virConnectCompareHypervisorCPU")?;
        let cpu = document::parse_cpu(xml_cpu, flags.contains(CompareFlags::VALIDATE_XML))?;
        let of = emulated(emulator, arch, machine, virttype);
        Ok(self.cx.driver.compare_cpu_for(of, cpu).await?.answer(flags)?)
    }

    #[zbus(name = "GetCPUModelNames", out_args("models"))]
    async fn get_cpu_model_names(&self, arch: &str, flags: u32) -> Result<Vec<String>> {
        params::no_flags(flags, "virConnectGetCPUModelNames")?;
        Ok(self.cx.driver.cpu_models(arch).await?)
    }

    /// The most vCPUs a guest of this virtualisation type may have; an empty type is the default.
    #[zbus(out_args("vcpus"))]
    async fn get_max_vcpus(&self, virttype: &str) -> Result<u32> {
        Ok(self.cx.driver.max_vcpus(optional(virttype)).await?)
    }

    /// Turns QEMU's argv (format `qemu-argv`) into a domain document.
    #[zbus(name = "DomainXMLFromNative", out_args("xml"))]
    async fn domain_xml_from_native(
        &self,
        format: &str,
        config: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String> {
        self.cx.access.check(&header, "connect:write").await?;
        params::no_flags(flags, "virConnectDomainXMLFromNative")?;
        let document = self.cx.driver.xml_from_native(format, config)?;
        Ok(document::format_domain(&document, XmlFlags::INACTIVE))
    }

    /// Turns a domain document into QEMU's argv (format `qemu-argv`).
    #[zbus(name = "DomainXMLToNative", out_args("config"))]
    async fn domain_xml_to_native(
        &self,
        format: &str,
        xml: &str,
        flags: u32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String> {
        self.cx.access.check(&header, "connect:write").await?;
        params::no_flags(flags, "virConnectDomainXMLToNative")?;
        Ok(self.cx.driver.xml_to_native(format, document::parse_domain(xml, false)?).await?)
    }

    /// Model, memory in KiB, CPUs, MHz, NUMA nodes, sockets per node, cores per socket, threads per core.
    #[zbus(out_args("nodeInfo"))]
    async fn node_get_info(&self) -> Result<(NodeInfo,)> {
        let it = self.cx.driver.node_info()?;
        Ok(((it.model, it.memory_kib, it.cpus, it.mhz, it.nodes, it.sockets, it.cores, it.threads),))
    }

    #[zbus(name = "NodeGetCPUMap", out_args("res"))]
    async fn node_get_cpu_map(&self, flags: u32) -> Result<Vec<bool>> {
        params::no_flags(flags, "virNodeGetCPUMap")?;
        Ok(self.cx.driver.cpu_map()?.online)
    }

    #[zbus(name = "NodeGetCPUStats", out_args("cpuStats"))]
    async fn node_get_cpu_stats(&self, cpu: i32, flags: u32) -> Result<HashMap<String, u64>> {
        params::no_flags(flags, "virNodeGetCPUStats")?;
        let cpu = params::all_or_one(cpu, "cpuNum")?;
        Ok(self.cx.driver.cpu_stats(cpu)?.into_iter().collect())
    }

    #[zbus(out_args("freemem"))]
    async fn node_get_free_memory(&self) -> Result<u64> {
        Ok(self.cx.driver.free_memory()?)
    }

    /// Free memory in bytes of up to `maxCells` NUMA cells from `startCell` on.
    #[zbus(out_args("cells"))]
    async fn node_get_cells_free_memory(&self, start: u32, max: u32) -> Result<Vec<u64>> {
        Ok(self.cx.driver.cells_free_memory(start, max)?)
    }

    #[zbus(out_args("memoryParameters"))]
    async fn node_get_memory_parameters(&self, flags: u32) -> Result<HashMap<String, OwnedVariant>> {
        params::no_flags(flags, "virNodeGetMemoryParameters")?;
        Ok(params::to_dict(self.cx.driver.memory_parameters()?))
    }

    #[zbus(out_args("stats"))]
    async fn node_get_memory_stats(&self, cell: i32, flags: u32) -> Result<HashMap<String, u64>> {
        params::no_flags(flags, "virNodeGetMemoryStats")?;
        let cell = params::all_or_one(cell, "cellNum")?;
        Ok(self.cx.driver.memory_stats(cell)?.into_iter().collect())
    }

    #[zbus(out_args("secModel"))]
    async fn node_get_security_model(&self) -> Result<((String, String),)> {
        Ok((self.cx.driver.security_model()?,))
    }

    #[zbus(signal)]
    pub(crate) async fn domain_event(
        emitter: &SignalEmitter<'_>,
        domain: ObjectPath<'_>,
        event: i32,
        detail: i32,
    ) -> zbus::Result<()>;
}

/// The figures of `NodeGetInfo` on the wire.
type NodeInfo = (String, u64, u32, u32, u32, u32, u32, u32);

impl Connect {
    async fn define(&self, xml: &str, flags: DefineFlags, header: &Header<'_>) -> Result<OwnedObjectPath> {
        self.cx.access.check(header, "domain:save").await?;
        let domain = document::parse_domain(xml, flags.contains(DefineFlags::VALIDATE))?;
        let domain = self.cx.driver.define(domain, flags).await;
        found(domain)
    }
}
