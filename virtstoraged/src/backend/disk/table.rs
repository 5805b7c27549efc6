//! A partition table as `parted -m -s DEVICE unit B print free` writes it, and where a new partition fits in.

use virtbus_api::Result;
use virtbus_schema::storage_vol::VolumeFormat;

use crate::fault;

/// Partitions begin at multiples of this.
const ALIGNMENT: u64 = 1 << 20;

/// A stretch of the disk in bytes; the end is the first byte after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) number: u32,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether it holds logical partitions.
    pub(super) extended: bool,
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// parted's name of its format: `gpt`, `msdos`.
    pub(super) label: String,
    pub(super) partitions: Vec<Partition>,
    pub(super) free: Vec<Span>,
}

/// A partition to be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// `primary`, `logical`, `extended`.
    pub(super) kind: &'static str,
    /// parted's name of what it is for.
    pub(super) file_system: Option<&'static str>,
    pub(super) number: u32,
    pub(super) start: u64,
    pub(super) end: u64,
}

fn bytes(field: &str) -> Option<u64> {
    field.strip_suffix('B')?.parse().ok()
}

/// Reads what parted wrote: `BYT;`, a line on the disk, a line for each partition and each stretch between.
pub(super) fn parse(text: &str) -> Result<Table> {
    let mut lines = text.lines().map(|it| it.trim_end_matches(';')).skip_while(|it| *it != "BYT").skip(1);
    let disk: Vec<&str> = lines.next().unwrap_or_default().split(':').collect();
    let label = disk.get(5).filter(|it| !it.is_empty());
    let label = label.ok_or_else(|| fault::internal("parted does not say what table the disk has"))?;
    let mut table = Table { label: (*label).to_owned(), partitions: Vec::new(), free: Vec::new() };
    for line in lines {
        let fields: Vec<&str> = line.split(':').collect();
        let place = fields.get(1).zip(fields.get(2)).and_then(|(start, last)| Some((bytes(start)?, bytes(last)?)));
        let (Some((start, last)), Some(number)) = (place, fields.first().and_then(|it| it.parse().ok())) else {
            return Err(fault::internal(format!("parted says '{line}' of a partition")));
        };
        let end = last.saturating_add(1);
        if fields.get(4) == Some(&"free") {
            table.free.push(Span { start, end });
        } else {
            table.partitions.push(Partition { number, start, end, extended: false });
        }
    }
    table.find_extended();
    Ok(table)
}

impl Table {
    /// parted does not name the extended partition of a DOS table; it is the one that has others within.
    fn find_extended(&mut self) {
        if self.label != "msdos" {
            return;
        }
        let all = self.partitions.clone();
        for partition in &mut self.partitions {
            let inside = |it: &Partition| it.start >= partition.start && it.end <= partition.end;
            partition.extended = partition.number <= 4 && all.iter().any(|it| it.number > 4 && inside(it));
        }
    }

    /// The first byte after all that the table tells of.
    pub(super) fn end(&self) -> u64 {
        let ends = self.partitions.iter().map(|it| it.end).chain(self.free.iter().map(|it| it.end));
        ends.max().unwrap_or(0)
    }

    /// Where a partition of so many bytes goes: into the smallest stretch that takes it.
    pub(super) fn plan(&self, size: u64, format: Option<VolumeFormat>) -> Result<Plan> {
        let too_full = || fault::internal("no large enough free extent");
        let numbers = 1..=if self.label == "msdos" { 4 } else { 128 };
        let number = numbers.into_iter().find(|number| self.partitions.iter().all(|it| it.number != *number));
        let number = number.ok_or_else(|| fault::internal("no more free partitions"))?;
        let size = size.max(1).checked_next_multiple_of(512).ok_or_else(too_full)?;
        let fits = |free: &Span| {
            let start = free.start.checked_next_multiple_of(ALIGNMENT)?;
            let end = start.checked_add(size)?;
            (end <= free.end).then_some((free.end - free.start, start, end))
        };
        let (_, start, end) = self.free.iter().filter_map(fits).min().ok_or_else(too_full)?;
        let kind = if format == Some(VolumeFormat::Extended) { "extended" } else { "primary" };
        let file_system = match format {
            Some(VolumeFormat::Linux) => Some("ext2"),
            Some(VolumeFormat::Fat16) => Some("fat16"),
            Some(VolumeFormat::Fat32) => Some("fat32"),
            Some(VolumeFormat::LinuxSwap) => Some("linux-swap"),
            _ => None,
        };
        Ok(Plan { kind, file_system, number, start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT: &str = "BYT;\n/dev/loop0:314572800B:loopback:512:512:gpt:Loopback device:;\n\
        1:17408B:1048575B:1031168B:free;\n1:1048576B:22020095B:20971520B::primary:;\n\
        1:22020096B:314555903B:292535808B:free;\n";
    const DOS: &str = "BYT;\n/dev/sda:1000B:scsi:512:512:msdos:x:;\n1:1B:10B:10B:ext4::;\n2:20B:99B:80B:::lba;\n\
        5:30B:40B:11B:::;\n";

    #[test]
    fn tables_are_read() {
        let table = parse(GPT).expect("read");
        assert_eq!(table.label, "gpt");
        let only = Partition { number: 1, start: 1 << 20, end: 21 << 20, extended: false };
        assert_eq!(table.partitions, [only]);
        assert_eq!((table.free.len(), table.end()), (2, 314_555_904));
        let table = parse(DOS).expect("read");
        let extended: Vec<_> = table.partitions.iter().map(|it| it.extended).collect();
        assert_eq!(extended, [false, true, false]);
        assert!(parse("").is_err() && parse("BYT;\n/dev/x:1B:a:1:1:gpt:x:;\n1:x:2B:3B;\n").is_err());
    }

    #[test]
    fn a_new_partition_takes_the_smallest_room_that_fits() {
        let mut table = parse(GPT).expect("read");
        table.free.push(Span { start: 400 << 20, end: 410 << 20 });
        let plan = table.plan(5 << 20, Some(VolumeFormat::Linux)).expect("fits");
        assert_eq!((plan.number, plan.start, plan.end), (2, 400 << 20, 405 << 20));
        assert_eq!((plan.kind, plan.file_system), ("primary", Some("ext2")));
        assert_eq!(table.plan(100 << 20, None).expect("fits").start, 21 << 20);
        assert!(table.plan(1 << 40, None).is_err() && table.plan(u64::MAX, None).is_err());
    }
}
