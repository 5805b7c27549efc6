//! vCPUs and threads: who is online, and what is said of their scheduling.

use std::collections::BTreeSet;

use virtbus_xml::{CpuSet, Error, ErrorKind, Node, YesNo};

use crate::domain::Domain;
use crate::domain::vcpu::{IoThreadSched, VcpuSched, VcpuState};

type Checked = Result<(), Error>;

impl Domain {
    /// Places and policies are of vCPUs and threads there are. A place of another vCPU is left out, as the reference does.
    pub(super) fn check_scheduling(&mut self, node: Node<'_>) -> Checked {
        let (count, threads) = (self.vcpu.count, self.threads());
        let Some(tune) = &mut self.cputune else { return Ok(()) };
        tune.vcpupins.retain(|it| it.vcpu < count);
        let mut seen = BTreeSet::new();
        if let Some(twice) = tune.vcpupins.iter().find(|it| !seen.insert(it.vcpu)) {
            return Err(node.error(ErrorKind::Internal, format!("vCPU {} is pinned twice", twice.vcpu)));
        }
        tune.vcpupins.sort_by_key(|it| it.vcpu);
        let mut seen = BTreeSet::new();
        for it in &tune.iothreadpins {
            if !threads.contains(&it.iothread) {
                let text = format!("I/O thread {} is pinned, but not there", it.iothread);
                return Err(node.error(ErrorKind::Unsupported, text));
            }
            if !seen.insert(it.iothread) {
                return Err(node.error(ErrorKind::Internal, format!("I/O thread {} is pinned twice", it.iothread)));
            }
        }
        // One entry for each, so that each can be changed by itself.
        let alone = |number: u32| CpuSet(BTreeSet::from([number]));
        let mut vcpus = Vec::new();
        for it in &tune.vcpuscheds {
            for number in &it.vcpus.0 {
                if *number >= count {
                    return Err(
                        node.error(ErrorKind::Unsupported, format!("vCPU {number} is scheduled, but not there"))
                    );
                }
                vcpus.push((*number, VcpuSched { vcpus: alone(*number), scheduling: it.scheduling }));
            }
        }
        let mut iothreads = Vec::new();
        for it in &tune.iothreadscheds {
            for number in &it.iothreads.0 {
                if !threads.contains(number) {
                    let text = format!("I/O thread {number} is scheduled, but not there");
                    return Err(node.error(ErrorKind::Unsupported, text));
                }
                iothreads.push((*number, IoThreadSched { iothreads: alone(*number), scheduling: it.scheduling }));
            }
        }
        vcpus.sort_by_key(|it| it.0);
        iothreads.sort_by_key(|it| it.0);
        tune.vcpuscheds = vcpus.into_iter().map(|it| it.1).collect();
        tune.iothreadscheds = iothreads.into_iter().map(|it| it.1).collect();
        Ok(())
    }

    /// The numbers of the I/O threads.
    fn threads(&self) -> BTreeSet<u32> {
        if self.iothreadids.is_empty() {
            return (1..=self.iothreads.unwrap_or(0).min(super::MOST_LISTED)).collect();
        }
        self.iothreadids.iter().map(|it| it.id).collect()
    }

    /// Where the state of vCPUs is listed, the list says how many are online, and names them all.
    pub(super) fn complete_vcpus(&mut self, node: Node<'_>) -> Checked {
        if self.vcpus.is_empty() {
            return Ok(());
        }
        let count = self.vcpu.count;
        if let Some(it) = self.vcpus.iter().find(|it| it.id >= count) {
            return Err(node.error(ErrorKind::BadValue, format!("there is no vCPU {}: they are {count}", it.id)));
        }
        let mut known = BTreeSet::new();
        self.vcpus.retain(|it| known.insert(it.id));
        for it in &mut self.vcpus {
            it.order = it.order.filter(|it| *it > 0);
            // Who is there from the start stays, unless the document says.
            it.hotpluggable.get_or_insert(if it.enabled.is_on() { YesNo::No } else { YesNo::Yes });
        }
        for id in 0..count.min(super::MOST_LISTED) {
            if known.insert(id) {
                self.vcpus.push(VcpuState { id, enabled: YesNo::No, hotpluggable: Some(YesNo::Yes), order: None });
            }
        }
        self.vcpus.sort_by_key(|it| it.id);
        let online = self.vcpus.iter().filter(|it| it.enabled == YesNo::Yes).count();
        let online = u32::try_from(online).unwrap_or(u32::MAX);
        self.vcpu.current = Some(online).filter(|it| *it < count);
        Ok(())
    }
}
