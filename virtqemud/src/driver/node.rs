//! The host and the hypervisor on it. Nothing here waits for a guest.

use std::path::PathBuf;

use async_trait::async_trait;
use virtbus_api::{
    Error, ParamValue, Result, TypedParam,
    flags::BaselineFlags,
    hypervisor::{CpuComparison, Emulated, Node, NodeInfo, node::CpuMap},
};
use virtbus_host::{cpu, memory};
use virtbus_schema::{
    CpuDocument, KnownCpu, capabilities::Capabilities, domain::Cpu, domain_capabilities::DomainCapabilities,
};

use super::Qemu;

/// Where the kernel has the settings of its same-page merging.
const KSM: &str = "/sys/kernel/mm/ksm";

/// libvirt's names of those settings and counters, whether they are unsigned 32 bit, and the kernel's files.
const KSM_FIELDS: &[(&str, bool, &str)] = &[
    ("shm_pages_to_scan", true, "pages_to_scan"),
    ("shm_sleep_millisecs", true, "sleep_millisecs"),
    ("shm_pages_shared", false, "pages_shared"),
    ("shm_pages_sharing", false, "pages_sharing"),
    ("shm_pages_unshared", false, "pages_unshared"),
    ("shm_pages_volatile", false, "pages_volatile"),
    ("shm_full_scans", false, "full_scans"),
    ("shm_merge_across_nodes", true, "merge_across_nodes"),
];

fn kib(bytes: u64) -> u64 {
    bytes / 1024
}

fn system(what: &str) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.to_owned();
    move |error| Error::system(what, &error)
}

/// The host's name, fully qualified where `/etc/hosts` says so. No name server is asked: it could hang every client.
fn qualified(name: &str) -> String {
    if name.contains('.') || name == "localhost" {
        return name.to_owned();
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let words = hosts.lines().filter_map(|line| line.split('#').next()).flat_map(|it| it.split_whitespace().skip(1));
    let full = words.into_iter().find(|it| it.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    full.unwrap_or(name).to_owned()
}

#[async_trait]
impl Node for Qemu {
    fn hypervisor_type(&self) -> String {
        "QEMU".to_owned()
    }

    async fn hypervisor_version(&self) -> Result<u64> {
        let binary = PathBuf::from(format!("/usr/bin/qemu-system-{}", std::env::consts::ARCH));
        Ok(self.shared.capabilities.find(&binary).await?.version.number())
    }

    fn library_version(&self) -> u64 {
        self.shared.config.library_version
    }

    fn hostname(&self) -> Result<String> {
        let name =
            nix::unistd::gethostname().map_err(|error| Error::system("cannot tell the hostname", &error.into()))?;
        Ok(qualified(&name.to_string_lossy()))
    }

    fn uri(&self) -> String {
        self.shared.config.uri.clone()
    }

    async fn max_vcpus(&self, kind: Option<&str>) -> Result<u32> {
        self.shared.documents.max_vcpus(kind).await
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        self.shared.documents.host_capabilities(&self.shared.capabilities).await
    }

    async fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt: Option<&str>,
    ) -> Result<DomainCapabilities> {
        let emulators = &self.shared.capabilities;
        self.shared.documents.domain_capabilities(emulators, emulator, arch, machine, virt).await
    }

    async fn compare_cpu(&self, cpu: CpuDocument) -> Result<CpuComparison> {
        self.shared.documents.compare_cpu(&cpu).await
    }

    async fn baseline_cpu(&self, cpus: Vec<KnownCpu>, flags: BaselineFlags) -> Result<Cpu> {
        self.shared.documents.baseline_cpu(cpus, flags).await
    }

    async fn compare_cpu_for(&self, of: Emulated<'_>, cpu: CpuDocument) -> Result<CpuComparison> {
        self.shared.documents.compare_cpu_for(&self.shared.capabilities, of, &cpu).await
    }

    async fn baseline_cpu_for(&self, of: Emulated<'_>, cpus: Vec<CpuDocument>, flags: BaselineFlags) -> Result<Cpu> {
        self.shared.documents.baseline_cpu_for(&self.shared.capabilities, of, &cpus, flags).await
    }

    async fn cpu_models(&self, arch: &str) -> Result<Vec<String>> {
        self.shared.documents.cpu_models(arch).await
    }

    fn node_info(&self) -> Result<NodeInfo> {
        let memory = memory::meminfo().map_err(system("cannot tell the host's memory"))?;
        let shape = cpu::Topology::read().shape();
        Ok(NodeInfo {
            model: cpu::architecture(),
            memory_kib: kib(memory.total),
            cpus: shape.cpus,
            mhz: cpu::mhz().unwrap_or(0),
            nodes: shape.nodes,
            sockets: shape.sockets,
            cores: shape.cores,
            threads: shape.threads,
        })
    }

    fn free_memory(&self) -> Result<u64> {
        Ok(memory::meminfo().map_err(system("cannot tell the host's memory"))?.free)
    }

    fn cells_free_memory(&self, first: u32, max: u32) -> Result<Vec<u64>> {
        let cells = memory::cells().map_err(system("cannot tell the host's memory"))?;
        let last = cells.iter().map(|it| it.id).max().unwrap_or(0);
        if first > last {
            return Err(Error::internal(format!("start cell {first} out of range (0-{last})")));
        }
        let wanted = first..first.saturating_add(max);
        Ok(cells.iter().filter(|it| wanted.contains(&it.id)).map(|it| it.free).collect())
    }

    fn cpu_stats(&self, cpu: Option<u32>) -> Result<Vec<(String, u64)>> {
        let (all, each) = cpu::times().map_err(system("cannot tell the CPUs' times"))?;
        let times = match cpu {
            None => all,
            Some(cpu) => *each.get(&cpu).ok_or_else(|| {
                Error::invalid_arg(format!("Invalid cpuNum in virNodeGetCPUStats: there is no CPU {cpu}"))
            })?,
        };
        let fields = [("kernel", times.system), ("user", times.user), ("idle", times.idle), ("iowait", times.iowait)];
        let nanos = |it: std::time::Duration| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX);
        Ok(fields.into_iter().map(|(name, time)| (name.to_owned(), nanos(time))).collect())
    }

    fn memory_stats(&self, cell: Option<u32>) -> Result<Vec<(String, u64)>> {
        let fields = match cell {
            None => {
                let it = memory::meminfo().map_err(system("cannot tell the host's memory"))?;
                vec![("total", it.total), ("free", it.free), ("buffers", it.buffers), ("cached", it.cached)]
            }
            Some(number) => {
                let cells = memory::cells().map_err(system("cannot tell the host's memory"))?;
                let cell = cells.iter().find(|it| it.id == number);
                let cell = cell.ok_or_else(|| Error::invalid_arg(format!("there is no NUMA cell {number}")))?;
                vec![("total", cell.total), ("free", cell.free)]
            }
        };
        Ok(fields.into_iter().map(|(name, bytes)| (name.to_owned(), kib(bytes))).collect())
    }

    fn cpu_map(&self) -> Result<CpuMap> {
        let topology = cpu::Topology::read();
        let online = topology.online();
        let last = topology.present.iter().next_back().copied().unwrap_or(0);
        Ok(CpuMap { online: (0..=last).map(|id| online.contains(&id)).collect() })
    }

    fn memory_parameters(&self) -> Result<Vec<TypedParam>> {
        let read = |file: &str| {
            let text = std::fs::read_to_string(format!("{KSM}/{file}")).ok()?;
            text.trim().parse::<u64>().ok()
        };
        let field = |(name, narrow, file): &(&str, bool, &str)| {
            let value = read(file)?;
            let value = if *narrow { ParamValue::Uint(u32::try_from(value).ok()?) } else { ParamValue::Ullong(value) };
            Some(TypedParam::new(*name, value))
        };
        Ok(KSM_FIELDS.iter().filter_map(field).collect())
    }

    fn security_model(&self) -> Result<(String, String)> {
        // The first of the models in the capabilities, as the reference answers.
        Ok(("none".to_owned(), "0".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_domain_stay() {
        assert_eq!(qualified("a.example"), "a.example");
        assert_eq!(qualified("localhost"), "localhost");
        assert_eq!(qualified("no-such-host-name"), "no-such-host-name");
    }
}
