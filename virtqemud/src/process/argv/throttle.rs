//! `<throttlegroups>`: limits that disks share, as objects their filters name.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::disk::IoTune;

use super::CommandLine;
use crate::device::Part;
use crate::device::props::props;

props! {
    struct Group { qom_type: &'static str, id: String, limits: Limits }

    struct Limits {
        bps_total: u64,
        bps_read: u64,
        bps_write: u64,
        iops_total: u64,
        iops_read: u64,
        iops_write: u64,
        bps_total_max: u64,
        bps_read_max: u64,
        bps_write_max: u64,
        iops_total_max: u64,
        iops_read_max: u64,
        iops_write_max: u64,
        iops_size: u64,
        bps_total_max_length: Option<u64>,
        bps_read_max_length: Option<u64>,
        bps_write_max_length: Option<u64>,
        iops_total_max_length: Option<u64>,
        iops_read_max_length: Option<u64>,
        iops_write_max_length: Option<u64>,
    }
}

/// Writes the objects.
pub(super) fn groups(domain: &Domain, line: &mut CommandLine) -> Result<()> {
    let groups = domain.throttlegroups.iter().flat_map(|it| &it.groups);
    for it in groups {
        // A group without limits is none.
        if it.limits == IoTune::default() {
            continue;
        }
        let id = format!("throttle-{}", it.group_name);
        let group = Group { qom_type: "throttle-group", id: id.clone(), limits: limits(&it.limits) };
        line.part(&Part::object(id, &group)?);
    }
    Ok(())
}

/// What is not said is not limited; a burst lasts a second unless more is said.
fn limits(it: &IoTune) -> Limits {
    let rate = |it: Option<u64>| it.unwrap_or(0);
    let length = |it: Option<u64>| it.filter(|it| *it > 0);
    Limits {
        bps_total: rate(it.total_bytes_sec),
        bps_read: rate(it.read_bytes_sec),
        bps_write: rate(it.write_bytes_sec),
        iops_total: rate(it.total_iops_sec),
        iops_read: rate(it.read_iops_sec),
        iops_write: rate(it.write_iops_sec),
        bps_total_max: rate(it.total_bytes_sec_max),
        bps_read_max: rate(it.read_bytes_sec_max),
        bps_write_max: rate(it.write_bytes_sec_max),
        iops_total_max: rate(it.total_iops_sec_max),
        iops_read_max: rate(it.read_iops_sec_max),
        iops_write_max: rate(it.write_iops_sec_max),
        iops_size: rate(it.size_iops_sec),
        bps_total_max_length: length(it.total_bytes_sec_max_length),
        bps_read_max_length: length(it.read_bytes_sec_max_length),
        bps_write_max_length: length(it.write_bytes_sec_max_length),
        iops_total_max_length: length(it.total_iops_sec_max_length),
        iops_read_max_length: length(it.read_iops_sec_max_length),
        iops_write_max_length: length(it.write_iops_sec_max_length),
    }
}
