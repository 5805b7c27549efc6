//! What the parts of a domain say about each other: completed where one implies another, refused where they contradict.
//! Each rule was observed on the reference; none needs the host.

mod numa;
mod resctrl;
mod scheduling;
mod usb;

use std::collections::BTreeSet;

use virtbus_xml::{Error, ErrorKind, Node};

use super::{
    Domain, Features, IoThread, Sysinfo,
    cpu::CpuMode,
    device::chardev::Chardev,
    memory::{NumaMemory, NumaMode, NumaTune, Placement},
};
use uuid::Uuid;
use virtbus_xml::{Value as _, Xml as _};

type Checked = Result<(), Error>;

impl Domain {
    /// What is said first when nothing else is right either.
    pub(super) fn check_identity(node: Node<'_>) -> Checked {
        if node.child("name").is_none_or(|it| it.text().is_empty()) {
            return Err(node.error(ErrorKind::NoName, "missing name information"));
        }
        if node.attr("type").is_none_or(|it| it.value().is_empty()) {
            return Err(node.error(ErrorKind::Internal, "the domain has no type"));
        }
        let kind = node.child("os").and_then(|it| it.child("type"));
        match kind.and_then(|it| it.attr("arch")).filter(|it| !super::os::is_architecture(it.value())) {
            Some(arch) if !arch.value().is_empty() => {
                return Err(node.error(ErrorKind::Unsupported, format!("unknown architecture {}", arch.value())));
            }
            _ => {}
        }
        let mode = node.child("cpu").and_then(|it| it.attr("mode"));
        match mode.filter(|it| CpuMode::from_name(it.value()).is_none()) {
            Some(mode) => Err(mode.error(ErrorKind::Unsupported, format!("'{}' is no mode of a CPU", mode.value()))),
            None => Ok(()),
        }
    }

    pub(super) fn check(&mut self, node: Node<'_>) -> Checked {
        if self.name.contains('/') || matches!(self.name.as_str(), "." | "..") {
            return Err(node.error(ErrorKind::BadValue, format!("name {} is a path", self.name)));
        }
        if self.title.as_ref().is_some_and(|it| it.contains('\n')) {
            return Err(node.error(ErrorKind::BadValue, "the title contains a line break"));
        }
        if node.children("genid").nth(1).is_some() {
            return Err(node.error(ErrorKind::BadValue, "<genid> is given twice"));
        }
        for more in node.children("features").skip(1) {
            self.features.get_or_insert_default().add(Features::read(more)?);
        }
        if self.os.kind.value.is_empty() {
            if self.bootloader.is_none() {
                return Err(match node.child("os") {
                    Some(_) => node.missing("os/type"),
                    // The schema lets a domain say nothing of this.
                    None => node.error(ErrorKind::BadValue, "an os <type> must be specified"),
                });
            }
            // A boot loader that runs on the host is a thing of Xen.
            self.os.kind.value.push_str("xen");
        }
        self.check_memory(node)?;
        self.check_numa(node)?;
        self.complete_placement(node)?;
        self.complete_iothreads(node)?;
        self.check_scheduling(node)?;
        self.check_shares(node)?;
        self.complete_vcpus(node)?;
        self.check_sysinfo(node)?;
        self.check_labels(node)?;
        self.check_groups(node)?;
        self.devices.check_targets(node)?;
        self.devices.check_usb(node)?;
        self.devices.check_hostdevs(node)?;
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
        self.complete_pages(node)?;
        let pages = self.memory_backing.iter().filter_map(|it| it.hugepages.as_ref()).flat_map(|it| &it.pages);
        let mut placed = BTreeSet::new();
        if let Some(twice) =
            pages.clone().filter_map(|it| it.nodeset.as_ref()).flat_map(|it| &it.0).find(|it| !placed.insert(**it))
        {
            return Err(node.error(ErrorKind::Conflict, format!("two sizes of huge pages are given for node {twice}")));
        }
        let masters = pages.filter(|it| it.nodeset.is_none()).count();
        if masters > 1 {
            return Err(node.error(ErrorKind::Conflict, "two sizes of huge pages are given for all nodes"));
        }
        Ok(())
    }

    /// CPUs placed by advice want memory placed by advice, and the other way round.
    fn complete_placement(&mut self, node: Node<'_>) -> Checked {
        let memory = self.numatune.as_ref().and_then(|it| it.memory.as_ref());
        let by_advice = memory.is_some_and(|it| it.placement == Some(Placement::Auto));
        let pinned = self
            .cputune
            .as_ref()
            .is_some_and(|it| !it.vcpupins.is_empty() || !it.iothreadpins.is_empty() || it.emulatorpin.is_some());
        if by_advice && self.vcpu.cpuset.is_none() && !pinned {
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

    /// The number of I/O threads covers those that are listed, and those that are only counted get the lowest free numbers.
    fn complete_iothreads(&mut self, node: Node<'_>) -> Checked {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.iothreadids.iter().find(|it| !seen.insert(it.id)) {
            return Err(node.error(ErrorKind::BadValue, format!("two I/O threads have id {}", twice.id)));
        }
        let pools = self.iothreadids.iter().map(|it| (it.thread_pool_min, it.thread_pool_max));
        let main = self.defaultiothread.iter().map(|it| (it.thread_pool_min, it.thread_pool_max));
        for pool in pools.chain(main) {
            if let (Some(min), Some(max)) = pool
                && min > max
            {
                return Err(node.error(ErrorKind::Unsupported, "thread_pool_min is larger than thread_pool_max"));
            }
        }
        self.defaultiothread = self.defaultiothread.filter(|it| it.thread_pool_min.or(it.thread_pool_max).is_some());
        for it in &mut self.iothreadids {
            it.poll = it.poll.filter(|it| it.max.or(it.grow).or(it.shrink).is_some());
        }
        let listed = u32::try_from(self.iothreadids.len()).unwrap_or(u32::MAX);
        let counted = self.iothreads.unwrap_or(0);
        // Without a list the numbers are 1, 2, ..., which goes without saying.
        let told_apart =
            self.iothreadids.iter().any(|it| it.id > counted || it.poll.is_some() || it.thread_pool_min.is_some());
        if listed > 0 && (listed < counted || told_apart) && counted <= MOST_LISTED {
            for id in 1.. {
                if u32::try_from(self.iothreadids.len()).unwrap_or(u32::MAX) >= counted {
                    break;
                }
                if seen.insert(id) {
                    self.iothreadids.push(IoThread { id, thread_pool_min: None, thread_pool_max: None, poll: None });
                }
            }
        }
        if counted > MOST_THREADS {
            return Err(node.error(ErrorKind::BadValue, format!("{counted} I/O threads are more than {MOST_THREADS}")));
        }
        self.iothreads = Some(counted.max(listed)).filter(|it| *it > 0);
        Ok(())
    }

    /// The date of the BIOS and the UUID of the system are what the guest's firmware takes them for.
    fn check_sysinfo(&self, node: Node<'_>) -> Checked {
        for it in &self.sysinfo {
            let Sysinfo::Smbios(tables) = it else { continue };
            let date = tables.bios.as_ref().and_then(|it| it.entry("date"));
            if date.is_some_and(|it| !is_date(it)) {
                return Err(node.error(ErrorKind::Conflict, "the date of the BIOS is not MM/DD/YYYY"));
            }
            let said = tables.system.as_ref().and_then(|it| it.entry("uuid")).map(Uuid::from_text);
            if let (Some(Ok(said)), Some(own)) = (said, self.uuid)
                && said != own
            {
                return Err(node.error(ErrorKind::Conflict, "the UUID of <sysinfo> is not the domain's"));
            }
        }
        Ok(())
    }

    /// Labels without a model mean all; two of one model contradict each other.
    fn check_labels(&mut self, node: Node<'_>) -> Checked {
        for it in &mut self.seclabels {
            it.complete(node)?;
        }
        let mut seen = BTreeSet::new();
        for model in self.seclabels.iter().map(|it| it.model.as_deref()) {
            if !seen.insert(model) {
                let model = model.unwrap_or("(any)");
                return Err(node.error(ErrorKind::Conflict, format!("two security labels of model {model}")));
            }
        }
        if self.seclabels.len() > 1 && self.seclabels.iter().any(|it| it.model.is_none()) {
            return Err(node.error(ErrorKind::BadValue, "one of several security labels has no model"));
        }
        let fixed = |model: &Option<String>| {
            model.is_some() && self.seclabels.iter().any(|it| it.model == *model && !it.relabels())
        };
        let of_disks = self.devices.disks.iter().filter_map(|it| it.source.as_ref()).flat_map(|it| &it.seclabels);
        let devices = &self.devices;
        let ports = devices.serials.iter().map(|it| &it.chardev).chain(devices.parallels.iter().map(|it| &it.chardev));
        let ports = ports.chain(devices.consoles.iter().map(|it| &it.chardev));
        let ports = ports.chain(devices.channels.iter().map(|it| &it.chardev));
        let of_ports = ports.flat_map(Chardev::sources).flat_map(|it| &it.seclabels);
        if of_disks.chain(of_ports).any(|it| fixed(&it.model)) {
            let text = "a device has a label of its own where the domain's label says that nothing is relabelled";
            return Err(node.error(ErrorKind::Unsupported, text));
        }
        self.seclabels.retain(|it| it.kind.is_some());
        Ok(())
    }

    fn check_groups(&self, node: Node<'_>) -> Checked {
        let mut seen = BTreeSet::new();
        for it in self.throttlegroups.iter().flat_map(|it| &it.groups) {
            if it.group_name.is_empty() || !seen.insert(&it.group_name) {
                let text = format!("two throttle groups are called '{}', or one is called nothing", it.group_name);
                return Err(node.error(ErrorKind::BadValue, text));
            }
            it.limits.check_sums(node)?;
        }
        let mut seen = BTreeSet::new();
        let events = self.perf.iter().flat_map(|it| &it.events);
        match events.into_iter().find(|it| !seen.insert(it.name)) {
            Some(twice) => Err(node.error(ErrorKind::BadValue, format!("two perf events are called {}", twice.name))),
            None => Ok(()),
        }
    }
}

/// More threads no process has: a count beyond is a slip or an attack, and each would be an option of QEMU's.
const MOST_THREADS: u32 = 1 << 16;

/// More threads than these are not written out.
const MOST_LISTED: u32 = 4096;

/// `M/D/YY` or `M/D/YYYY`, with a month and a day there are.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let [month, day, year] = parts.as_slice() else { return false };
    let number = |it: &str| it.bytes().all(|it| it.is_ascii_digit()).then(|| it.parse::<u32>().ok()).flatten();
    let within = |it: &str, most: u32| number(it).is_some_and(|it| (1..=most).contains(&it));
    within(month, 12) && within(day, 31) && number(year).is_some_and(|it| it < 100 || (1900..10_000).contains(&it))
}
