//! What the parts of a domain say about each other: completed where one implies another, refused where they contradict.
//! Each rule was observed on the reference; none needs the host.

use std::collections::BTreeSet;

use virtbus_xml::{Error, ErrorKind, Node};

use super::{
    Domain,
    memory::{NumaMemory, NumaMode, NumaTune, Placement},
};

type Checked = Result<(), Error>;

impl Domain {
    /// What is said first when nothing else is right either.
    pub(super) fn check_identity(node: Node<'_>) -> Checked {
        if node.child("name").is_none_or(|it| it.text().is_empty()) {
            return Err(node.error(ErrorKind::NoName, "missing name information"));
        }
        if node.attr("type").is_none() {
            return Err(node.error(ErrorKind::Internal, "the domain has no type"));
        }
        Ok(())
    }

    pub(super) fn check(&mut self, node: Node<'_>) -> Checked {
        if self.name.contains('/') {
            return Err(node.error(ErrorKind::BadValue, format!("name {} contains '/'", self.name)));
        }
        if self.title.as_ref().is_some_and(|it| it.contains('\n')) {
            return Err(node.error(ErrorKind::BadValue, "the title contains a line break"));
        }
        if node.children("genid").nth(1).is_some() {
            return Err(node.error(ErrorKind::BadValue, "<genid> is given twice"));
        }
        if self.os.kind.value.is_empty() {
            if self.bootloader.is_none() {
                return Err(node.missing("os/type"));
            }
            // A boot loader that runs on the host is a thing of Xen.
            self.os.kind.value.push_str("xen");
        }
        self.check_memory(node)?;
        self.check_numa(node)?;
        self.complete_placement(node)?;
        self.complete_iothreads();
        self.check_labels(node)?;
        self.devices.check_targets(node)?;
        self.devices.check_aliases(node)
    }

    fn check_memory(&mut self, node: Node<'_>) -> Checked {
        let cells = self.cpu.iter().filter_map(|it| it.numa.as_ref()).flat_map(|it| &it.cells);
        let in_cells = cells.fold(0_u64, |all, it| all.saturating_add(it.memory.size.kib));
        if in_cells > 0 {
            self.memory.size.kib = in_cells.saturating_add(self.devices.plugged_memory_kib());
        } else if self.memory.size.kib > 0 && self.memory.size.kib <= self.devices.plugged_memory_kib() {
            return Err(node.error(ErrorKind::BadValue, "the memory devices are larger than the memory"));
        }
        let all = self.memory.size;
        if all.kib == 0 {
            return Err(node.error(ErrorKind::BadValue, "neither <memory> nor NUMA cells say how much memory"));
        }
        if self.max_memory.is_some_and(|it| it.size < all) {
            return Err(node.error(ErrorKind::BadValue, "the maximum memory is less than the memory"));
        }
        self.current_memory = Some(self.current_memory.filter(|it| it.kib > 0 && *it < all).unwrap_or(all));
        let pages = self.memory_backing.iter().filter_map(|it| it.hugepages.as_ref()).flat_map(|it| &it.pages);
        let masters = pages.filter(|it| it.nodeset.is_none()).count();
        if masters > 1 {
            return Err(node.error(ErrorKind::Conflict, "two sizes of huge pages are given for all nodes"));
        }
        Ok(())
    }

    fn check_numa(&mut self, node: Node<'_>) -> Checked {
        let cells = self.cpu.iter_mut().filter_map(|it| it.numa.as_mut()).flat_map(|it| &mut it.cells);
        let mut ids = Vec::new();
        for (at, cell) in cells.enumerate() {
            let id = *cell.id.get_or_insert(u32::try_from(at).unwrap_or(u32::MAX));
            if ids.contains(&id) {
                return Err(node.error(ErrorKind::BadValue, format!("two NUMA cells have id {id}")));
            }
            ids.push(id);
        }
        let siblings = self.cpu.iter().filter_map(|it| it.numa.as_ref()).flat_map(|it| &it.cells);
        if let Some(stray) = siblings.flat_map(|it| &it.distances).find(|it| !ids.contains(&it.id)) {
            return Err(
                node.error(ErrorKind::BadValue, format!("distance to NUMA cell {}, which is not there", stray.id))
            );
        }
        let memnodes = self.numatune.iter().flat_map(|it| &it.memnodes);
        if let Some(stray) = memnodes.map(|it| it.cellid).find(|it| !ids.contains(it)) {
            return Err(node.error(ErrorKind::BadValue, format!("<memnode> of NUMA cell {stray}, which is not there")));
        }
        Ok(())
    }

    /// CPUs placed by advice want memory placed by advice, and the other way round.
    fn complete_placement(&mut self, node: Node<'_>) -> Checked {
        let memory = self.numatune.as_ref().and_then(|it| it.memory.as_ref());
        let by_advice = memory.is_some_and(|it| it.placement == Some(Placement::Auto));
        if by_advice && self.vcpu.cpuset.is_none() {
            self.vcpu.placement = Placement::Auto;
        }
        if self.vcpu.placement == Placement::Auto {
            self.vcpu.cpuset = None;
            let tune = self.numatune.get_or_insert_with(NumaTune::default);
            let automatic = NumaMemory { mode: NumaMode::Strict, nodeset: None, placement: Some(Placement::Auto) };
            let memory = tune.memory.get_or_insert(automatic);
            if memory.nodeset.is_none() {
                memory.placement = Some(Placement::Auto);
            }
        }
        let unplaced = |it: &NumaMemory| it.nodeset.is_none() && it.placement != Some(Placement::Auto);
        if self.numatune.as_ref().and_then(|it| it.memory.as_ref()).is_some_and(unplaced) {
            return Err(node.error(ErrorKind::Unsupported, "<numatune> memory needs a nodeset"));
        }
        Ok(())
    }

    /// The number of I/O threads covers those that are listed.
    fn complete_iothreads(&mut self) {
        let listed = u32::try_from(self.iothreadids.len()).unwrap_or(u32::MAX);
        if listed > self.iothreads.unwrap_or(0) {
            self.iothreads = Some(listed);
        }
        self.iothreads = self.iothreads.filter(|it| *it > 0);
    }

    fn check_labels(&self, node: Node<'_>) -> Checked {
        let mut seen = BTreeSet::new();
        for model in self.seclabels.iter().filter_map(|it| it.model.as_deref()) {
            if !seen.insert(model) {
                return Err(node.error(ErrorKind::Conflict, format!("two security labels of model {model}")));
            }
        }
        Ok(())
    }
}
