//! What LVM's tools report (`--reportformat json --units b --nosuffix`), as plain values.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use virtbus_api::Result;
use virtbus_schema::storage_vol::{
    StorageVolume, VolumeBacking, VolumeDevice, VolumeExtent, VolumeSize, VolumeSource, VolumeType,
};

use crate::fault;
use crate::pool::view::Figures;

/// A device that LVM uses, and the group it belongs to; empty for none.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Physical {
    #[serde(rename = "pv_name")]
    pub(super) device: String,
    #[serde(rename = "vg_name")]
    pub(super) group: String,
}

#[derive(Deserialize)]
struct Group {
    vg_size: String,
    vg_free: String,
}

/// One segment of a logical volume.
#[derive(Deserialize)]
struct Segment {
    lv_name: String,
    origin: String,
    lv_uuid: String,
    lv_size: String,
    seg_size: String,
    devices: String,
    vg_extent_size: String,
    lv_attr: String,
}

/// The rows of a report: `{"report": [{"lv": [{...}, ...]}]}`, whatever the list is called.
fn rows<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    let read = || -> serde_json::Result<Vec<T>> {
        let mut whole: serde_json::Value = serde_json::from_str(text)?;
        let lists = whole.pointer_mut("/report/0").and_then(serde_json::Value::as_object_mut);
        let list = lists.and_then(|it| it.values_mut().find(|it| it.is_array())).map(serde_json::Value::take);
        list.map_or_else(|| Ok(Vec::new()), serde_json::from_value)
    };
    read().map_err(|error| fault::internal("cannot read the report of LVM").caused_by(error))
}

fn number(text: &str) -> Result<u64> {
    text.trim().parse().map_err(|_| fault::internal(format!("malformed volume extent size value '{text}'")))
}

/// All devices that LVM uses.
pub(super) fn physical(text: &str) -> Result<Vec<Physical>> {
    rows(text)
}

/// The figures of a group.
pub(super) fn group(text: &str) -> Result<Figures> {
    let all: Vec<Group> = rows(text)?;
    let only = all.first().ok_or_else(|| fault::internal("LVM reports no volume group"))?;
    let (capacity, available) = (number(&only.vg_size)?, number(&only.vg_free)?);
    Ok(Figures { capacity, allocation: capacity.saturating_sub(available), available })
}

/// The logical volumes of a group whose devices are below `target`. Thin ones and their pools are none, as with the
/// reference, and neither are inactive ones: nothing could be read from them.
pub(super) fn volumes(text: &str, target: &str) -> Result<Vec<StorageVolume>> {
    let mut volumes: Vec<StorageVolume> = Vec::new();
    for segment in rows::<Segment>(text)? {
        let attributes = segment.lv_attr.as_bytes();
        let is_thin = segment.devices.trim().is_empty();
        if is_thin || attributes.first() == Some(&b't') || attributes.get(4) != Some(&b'a') {
            continue;
        }
        let size = number(&segment.seg_size)?;
        let devices = devices(&segment.devices, size, number(&segment.vg_extent_size)?)?;
        if let Some(known) = volumes.iter_mut().find(|it| it.name == segment.lv_name) {
            known.source.get_or_insert_with(VolumeSource::default).devices.extend(devices);
            let sum = known.allocation.map_or(0, |it| it.bytes).saturating_add(size);
            known.allocation = Some(VolumeSize::of(sum));
            continue;
        }
        let mut document = StorageVolume::new(&segment.lv_name);
        document.kind = VolumeType::Block;
        document.key = Some(segment.lv_uuid);
        document.capacity = Some(VolumeSize::of(number(&segment.lv_size)?));
        document.allocation = Some(VolumeSize::of(size));
        document.source = Some(VolumeSource { devices });
        document.target.path = Some(format!("{target}/{}", segment.lv_name));
        // The origin of a sparse volume is LVM's own, which it writes in brackets.
        if !segment.origin.is_empty() && !segment.origin.starts_with('[') {
            let path = format!("{target}/{}", segment.origin);
            document.backing_store = Some(VolumeBacking { path, ..VolumeBacking::default() });
        }
        volumes.push(document);
    }
    Ok(volumes)
}

/// `/dev/sdb1(25),/dev/sdc1(0)`: devices with the first extent used on each. Each is shown with the length of the whole
/// segment even where stripes share it: so does the reference.
fn devices(text: &str, size: u64, extent: u64) -> Result<Vec<VolumeDevice>> {
    let named: Vec<(&str, &str)> = text
        .split(',')
        .filter_map(|it| it.trim().strip_suffix(')').and_then(|it| it.rsplit_once('(')))
        .filter(|(path, _)| path.starts_with('/'))
        .collect();
    let device = |(path, first): &(&str, &str)| {
        let start = number(first)?.saturating_mul(extent);
        let extents = vec![VolumeExtent { start, end: start.saturating_add(size) }];
        Ok(VolumeDevice { path: (*path).to_owned(), extents })
    };
    named.iter().map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LVS: &str = r#"{"report": [{"lv": [
        {"lv_name":"root","origin":"","lv_uuid":"06UgP5-2rhb-w3Bo-3mdR-WeoL-pytO-SAa2ky","lv_size":"6291456",
         "seg_size":"4194304","seg_start_pe":"0","devices":"/dev/sda2(25)","segtype":"linear",
         "vg_extent_size":"4194304","lv_attr":"-wi-ao----"},
        {"lv_name":"root","origin":"","lv_uuid":"06UgP5-2rhb-w3Bo-3mdR-WeoL-pytO-SAa2ky","lv_size":"6291456",
         "seg_size":"2097152","seg_start_pe":"1","devices":"/dev/sdb1(0),/dev/sdc1(7)","segtype":"striped",
         "vg_extent_size":"4194304","lv_attr":"-wi-ao----"},
        {"lv_name":"snap","origin":"root","lv_uuid":"x","lv_size":"1","seg_size":"1","seg_start_pe":"0",
         "devices":"/dev/sda2(1)","segtype":"linear","vg_extent_size":"4194304","lv_attr":"swi-a-s---"},
        {"lv_name":"thin","origin":"","lv_uuid":"y","lv_size":"1","seg_size":"1","seg_start_pe":"0",
         "devices":"thin_tdata(0)","segtype":"thin-pool","vg_extent_size":"4194304","lv_attr":"twi-a-tz--"},
        {"lv_name":"off","origin":"","lv_uuid":"z","lv_size":"1","seg_size":"1","seg_start_pe":"0",
         "devices":"/dev/sda2(9)","segtype":"linear","vg_extent_size":"4194304","lv_attr":"-wi-------"}
    ]}]}"#;

    #[test]
    fn volumes_and_their_segments() {
        let found = volumes(LVS, "/dev/vg").expect("read");
        assert_eq!(found.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["root", "snap"]);
        let root = &found[0];
        assert_eq!(root.target.path.as_deref(), Some("/dev/vg/root"));
        assert_eq!((root.capacity_bytes(), root.allocation.map(|it| it.bytes)), (6_291_456, Some(6_291_456)));
        let devices = &root.source.as_ref().expect("on devices").devices;
        let extents: Vec<_> =
            devices.iter().map(|it| (it.path.as_str(), it.extents[0].start, it.extents[0].end)).collect();
        assert_eq!(
            extents,
            [
                ("/dev/sda2", 104_857_600, 109_051_904),
                ("/dev/sdb1", 0, 2_097_152),
                ("/dev/sdc1", 29_360_128, 31_457_280)
            ]
        );
        assert_eq!(found[1].backing_store.as_ref().map(|it| it.path.as_str()), Some("/dev/vg/root"));
    }

    #[test]
    fn groups_and_devices() {
        let text = r#"{"report": [{"vg": [{"vg_size":"310378496", "vg_free":"306184192"}]}]}"#;
        let figures = Figures { capacity: 310_378_496, allocation: 4_194_304, available: 306_184_192 };
        assert_eq!(group(text).expect("read"), figures);
        let text = r#"{"report": [{"pv": [{"pv_name":"/dev/loop0", "vg_name":"vgx"}, {"pv_name":"/dev/b", "vg_name":""}]}], "log": []}"#;
        assert_eq!(physical(text).expect("read").len(), 2);
        assert!(physical(r#"{"report": [{"pv": []}]}"#).expect("read").is_empty());
        assert!(group("{}").is_err() && physical("nonsense").is_err());
        assert!(volumes(&LVS.replace("6291456", "many"), "/dev/vg").is_err());
    }
}
