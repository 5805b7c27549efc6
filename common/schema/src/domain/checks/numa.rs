//! The guest's NUMA nodes: what is said of them fits together.

use std::collections::HashSet;

use virtbus_xml::{Error, ErrorKind, Node};

use crate::domain::Domain;
use crate::domain::cpu::GuestNuma;
use crate::domain::memory::{NumaMode, Placement};

type Checked = Result<(), Error>;

impl Domain {
    pub(super) fn check_numa(&mut self, node: Node<'_>) -> Checked {
        let count = self.vcpu.count;
        if let Some(numa) = self.cpu.as_mut().and_then(|it| it.numa.as_mut()) {
            number(numa, node)?;
            numa.cells.iter().try_for_each(|it| it.check_distances(node))?;
            numa.check_cpus(count, node)?;
            numa.check_links(node)?;
        }
        let cells = self.cells();
        let Some(tune) = &self.numatune else { return Ok(()) };
        let by_advice = tune.memory.as_ref().is_some_and(|it| it.placement == Some(Placement::Auto));
        if by_advice && !tune.memnodes.is_empty() {
            return Err(node.error(ErrorKind::Unsupported, "<memnode> does not go with placement='auto'"));
        }
        let mut seen = Vec::new();
        for it in &tune.memnodes {
            if it.cellid >= cells {
                return Err(node
                    .error(ErrorKind::BadValue, format!("<memnode> of NUMA cell {}, which is not there", it.cellid)));
            }
            if seen.contains(&it.cellid) {
                return Err(node.error(ErrorKind::BadValue, format!("two <memnode> of NUMA cell {}", it.cellid)));
            }
            seen.push(it.cellid);
            // What the control group enforces it enforces for all of the memory.
            let all = tune.memory.as_ref().filter(|it| it.placement != Some(Placement::Auto)).map(|it| it.mode);
            let restricted = |it: NumaMode| it == NumaMode::Restrictive;
            if all.map_or(restricted(it.mode), |all| restricted(all) != restricted(it.mode)) {
                return Err(node.error(ErrorKind::BadValue, "mode 'restrictive' is for all memory or for none"));
            }
        }
        Ok(())
    }

    fn cells(&self) -> u32 {
        let cells = self.cpu.as_ref().and_then(|it| it.numa.as_ref()).map_or(0, |it| it.cells.len());
        u32::try_from(cells).unwrap_or(u32::MAX)
    }

    /// Huge pages of a node are of a node there is; a guest without nodes is its node 0.
    pub(super) fn complete_pages(&mut self, node: Node<'_>) -> Checked {
        let cells = self.cells();
        let pages = self.memory_backing.iter_mut().filter_map(|it| it.hugepages.as_mut()).flat_map(|it| &mut it.pages);
        for page in pages {
            let Some(nodes) = &page.nodeset else { continue };
            let known = if cells == 0 { 1 } else { cells };
            if let Some(stray) = nodes.0.iter().find(|it| **it >= known) {
                return Err(node.error(ErrorKind::Conflict, format!("huge pages of node {stray}, which is not there")));
            }
            if cells == 0 {
                page.nodeset = None;
            }
        }
        Ok(())
    }
}

/// Cells have the numbers from 0 on, and stand in that order.
fn number(numa: &mut GuestNuma, node: Node<'_>) -> Checked {
    for (at, cell) in (0_u32..).zip(&mut numa.cells) {
        cell.id.get_or_insert(at);
    }
    numa.cells.sort_by_key(|it| it.id);
    for (at, cell) in (0_u32..).zip(&numa.cells) {
        if cell.id != Some(at) {
            return Err(node.error(ErrorKind::BadValue, "NUMA cells are not numbered 0, 1, 2, ... once each"));
        }
    }
    Ok(())
}

impl GuestNuma {
    fn check_cpus(&self, count: u32, node: Node<'_>) -> Checked {
        let mut all = std::collections::BTreeSet::new();
        for cpu in self.cells.iter().filter_map(|it| it.cpus.as_ref()).flat_map(|it| &it.0) {
            if !all.insert(*cpu) {
                return Err(node.error(ErrorKind::Unsupported, format!("vCPU {cpu} is in two NUMA cells")));
            }
        }
        if all.len() > usize::try_from(count).unwrap_or(usize::MAX) {
            return Err(node.error(ErrorKind::Internal, "the NUMA cells have more CPUs than the guest"));
        }
        Ok(())
    }

    fn check_links(&mut self, node: Node<'_>) -> Checked {
        // Of two distances to one cell the later counts.
        for cell in &mut self.cells {
            let mut seen = HashSet::new();
            cell.distances.reverse();
            cell.distances.retain(|it| seen.insert(it.id));
            cell.distances.reverse();
        }
        let fault = |text: String| Err(node.error(ErrorKind::BadValue, text));
        let known = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
        if let Some(stray) = self.cells.iter().flat_map(|it| &it.distances).find(|it| it.id >= known) {
            return fault(format!("distance to NUMA cell {}, which is not there", stray.id));
        }
        let Some(links) = &mut self.interconnects else { return Ok(()) };
        let mut seen = HashSet::new();
        let latencies = links.latencies.iter().map(|it| (false, it.initiator, it.target, it.cache, it.kind));
        let bandwidths = links.bandwidths.iter().map(|it| (true, it.initiator, it.target, it.cache, it.kind));
        for link @ (_, initiator, target, cache, _) in latencies.chain(bandwidths) {
            for (what, cell) in [("initiator", initiator), ("target", target)] {
                if cell >= known {
                    return fault(format!("'{what}' is NUMA cell {cell}, which is not there"));
                }
            }
            let at = usize::try_from(target).unwrap_or(usize::MAX);
            let has = |level: u32| self.cells.get(at).is_some_and(|it| it.caches.iter().any(|it| it.level == level));
            if let Some(level) = cache.filter(|it| !has(*it)) {
                return fault(format!("'cache' is level {level} of NUMA cell {target}, which is not there"));
            }
            if !seen.insert(link) {
                return fault("a link between NUMA cells is given twice".to_owned());
            }
        }
        for it in &mut links.bandwidths {
            it.scale_to_kib().map_err(|text| node.error(ErrorKind::Argument, text))?;
        }
        Ok(())
    }
}
