//! The host that is simulated: two CPUs, one NUMA cell, 3 GiB.

use async_trait::async_trait;
use virtbus_api::{
    Error, ErrorDomain, ParamValue, Result, TypedParam,
    hypervisor::{Node, NodeInfo, node::CpuMap},
};
use virtbus_schema::{capabilities::Capabilities, domain_capabilities::DomainCapabilities};

use crate::Sim;

const CPUS: u32 = 2;
const MEMORY_KIB: u64 = 3 * 1024 * 1024;
const FREE_KIB: u64 = 2 * 1024 * 1024;
/// libvirt 11.3.0, whose API is spoken.
const LIBRARY_VERSION: u64 = 11_003_000;

#[async_trait]
impl Node for Sim {
    fn hypervisor_type(&self) -> String {
        "QEMU".to_owned()
    }

    async fn hypervisor_version(&self) -> Result<u64> {
        Ok(10_000_002)
    }

    fn library_version(&self) -> u64 {
        LIBRARY_VERSION
    }

    fn hostname(&self) -> Result<String> {
        Ok("simulated.example.org".to_owned())
    }

    fn uri(&self) -> String {
        self.0.uri.clone()
    }

    async fn max_vcpus(&self, kind: Option<&str>) -> Result<u32> {
        match kind {
            None | Some("qemu" | "kvm" | "test") => Ok(16),
            Some(kind) => Err(Error::invalid_arg(format!("unknown type '{kind}'"))),
        }
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(Capabilities::default())
    }

    async fn domain_capabilities(
        &self,
        _emulator: Option<&str>,
        _arch: Option<&str>,
        _machine: Option<&str>,
        _virt: Option<&str>,
    ) -> Result<DomainCapabilities> {
        Ok(DomainCapabilities::default())
    }

    async fn cpu_models(&self, arch: &str) -> Result<Vec<String>> {
        match arch {
            "x86_64" => Ok(vec!["qemu64".to_owned(), "Haswell".to_owned()]),
            arch => Err(Error::invalid_arg(format!("cannot find architecture {arch}"))),
        }
    }

    fn node_info(&self) -> Result<NodeInfo> {
        Ok(NodeInfo {
            model: "x86_64".to_owned(),
            memory_kib: MEMORY_KIB,
            cpus: CPUS,
            mhz: 2500,
            nodes: 1,
            sockets: 1,
            cores: CPUS,
            threads: 1,
        })
    }

    fn free_memory(&self) -> Result<u64> {
        Ok(FREE_KIB * 1024)
    }

    fn cells_free_memory(&self, first: u32, max: u32) -> Result<Vec<u64>> {
        if first > 0 {
            return Err(
                Error::internal(format!("start cell {first} out of range (0-0)")).in_domain(ErrorDomain::Nowhere)
            );
        }
        Ok(vec![FREE_KIB * 1024; usize::from(max > 0)])
    }

    fn cpu_stats(&self, cpu: Option<u32>) -> Result<Vec<(String, u64)>> {
        if cpu.is_some_and(|it| it >= CPUS) {
            return Err(Error::invalid_arg("Invalid cpuNum"));
        }
        let up = u64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok([("kernel", 0), ("user", 0), ("idle", up), ("iowait", 0)].map(|(name, it)| (name.to_owned(), it)).to_vec())
    }

    fn memory_stats(&self, cell: Option<u32>) -> Result<Vec<(String, u64)>> {
        if cell.is_some_and(|it| it > 0) {
            return Err(Error::invalid_arg("cellNum must be less than or equal to 0"));
        }
        let all = [("total", MEMORY_KIB), ("free", FREE_KIB), ("buffers", 0), ("cached", 0)];
        let shown = if cell.is_some() { 2 } else { 4 };
        Ok(all.into_iter().take(shown).map(|(name, it)| (name.to_owned(), it)).collect())
    }

    fn cpu_map(&self) -> Result<CpuMap> {
        Ok(CpuMap { online: vec![true; CPUS as usize] })
    }

    fn memory_parameters(&self) -> Result<Vec<TypedParam>> {
        Ok(vec![TypedParam::new("shm_pages_to_scan", ParamValue::Uint(100))])
    }

    fn security_model(&self) -> Result<(String, String)> {
        Ok(("none".to_owned(), "0".to_owned()))
    }
}
