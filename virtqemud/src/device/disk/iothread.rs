//! Which threads serve which queues.

use virtbus_schema::domain::device::disk::DiskIoThread;

use crate::device::props::props;

props! {
    /// A thread and its queues; none means that QEMU deals them out.
    pub(crate) struct Mapping { iothread: String, vqs: Vec<u32> }
}

/// The mapping a document asks for.
pub(crate) fn mapping(threads: &[DiskIoThread]) -> Vec<Mapping> {
    let one = |it: &DiskIoThread| Mapping {
        iothread: format!("iothread{}", it.id),
        vqs: it.queues.iter().map(|queue| queue.id).collect(),
    };
    threads.iter().map(one).collect()
}
