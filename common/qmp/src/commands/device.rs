//! Devices and the objects behind them: front-ends, back-ends, the object tree.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::{Done, commands};

commands! {
    with DeviceAdd = "device_add" -> Done;
    with DeviceDel = "device_del" -> Done;
    with ObjectAdd = "object-add" -> Done;
    with ObjectDel = "object-del" -> Done;
    with NetdevAdd = "netdev_add" -> Done;
    with NetdevDel = "netdev_del" -> Done;
    with ChardevAdd = "chardev-add" -> ChardevAdded;
    with ChardevRemove = "chardev-remove" -> Done;
    with ChardevSendBreak = "chardev-send-break" -> Done;
    with DeviceListProperties = "device-list-properties" -> Vec<PropertyInfo>;
    with QomList = "qom-list" -> Vec<PropertyInfo>;
    with QomListTypes = "qom-list-types" -> Vec<TypeInfo>;
    with QomGet = "qom-get" -> Value;
    with QomSet = "qom-set" -> Done;
    with SetLink = "set_link" -> Done;
    with QueryRxFilter = "query-rx-filter" -> Vec<RxFilter>;
    /// Character devices.
    plain QueryChardev = "query-chardev" -> Vec<ChardevInfo>;
    /// PCI buses with their devices.
    plain QueryPci = "query-pci" -> Vec<PciBus>;
}

/// Plugs a device; its properties are an object with `driver` and `id`.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct DeviceAdd<P: Serialize = Value>(pub P);

/// Creates an object; an object with `qom-type` and `id`.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct ObjectAdd<P: Serialize = Value>(pub P);

/// Creates a network back-end; an object with `type` and `id`.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct NetdevAdd<P: Serialize = Value>(pub P);

/// Asks the guest to let go of a device; DEVICE_DELETED tells when it is gone.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceDel {
    /// Id or object path.
    pub id: String,
}

/// Deletes an object.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectDel {
    /// Its id.
    pub id: String,
}

/// Deletes a network back-end.
#[derive(Debug, Clone, Serialize)]
pub struct NetdevDel {
    /// Its id.
    pub id: String,
}

/// Creates a character device.
#[derive(Debug, Clone, Serialize)]
pub struct ChardevAdd {
    /// Its id.
    pub id: String,
    /// `{"type": ..., "data": {...}}`
    pub backend: Value,
}

/// Reply of [`ChardevAdd`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChardevAdded {
    /// The terminal made for type `pty`.
    pub pty: Option<String>,
}

/// Deletes a character device.
#[derive(Debug, Clone, Serialize)]
pub struct ChardevRemove {
    /// Its id.
    pub id: String,
}

/// Sends a break on a serial line.
#[derive(Debug, Clone, Serialize)]
pub struct ChardevSendBreak {
    /// The character device.
    pub id: String,
}

/// A character device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChardevInfo {
    /// Its id.
    pub label: String,
    /// What is behind it, `pty:/dev/pts/3`.
    pub filename: String,
    /// Whether the guest has opened its end.
    #[serde(default)]
    pub frontend_open: bool,
}

/// Properties of a device type.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceListProperties {
    /// The type.
    pub typename: String,
}

/// A property of a type or an object.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PropertyInfo {
    /// Its name.
    pub name: String,
    /// Its type, such as `bool`, `link<x>`, `child<y>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its value unless set.
    pub default_value: Option<Value>,
}

/// Properties of an object.
#[derive(Debug, Clone, Serialize)]
pub struct QomList {
    /// Its path.
    pub path: String,
}

/// Types known to the binary.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QomListTypes {
    /// Only those that implement this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implements: Option<String>,
    /// Abstract ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "abstract")]
    pub with_abstract: Option<bool>,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TypeInfo {
    /// Its name.
    pub name: String,
    /// Whether nothing can be of this type itself.
    #[serde(default, rename = "abstract")]
    pub is_abstract: bool,
    /// The type it extends.
    pub parent: Option<String>,
}

/// Reads a property of an object.
#[derive(Debug, Clone, Serialize)]
pub struct QomGet {
    /// The object.
    pub path: String,
    /// The property.
    pub property: String,
}

/// Sets a property of an object.
#[derive(Debug, Clone, Serialize)]
pub struct QomSet {
    /// The object.
    pub path: String,
    /// The property.
    pub property: String,
    /// Its new value.
    pub value: Value,
}

/// Plugs or pulls a network cable.
#[derive(Debug, Clone, Serialize)]
pub struct SetLink {
    /// Id of the device or back-end.
    pub name: String,
    /// Whether it is plugged.
    pub up: bool,
}

/// What a network device lets through.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QueryRxFilter {
    /// One device; all if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Filter of a network device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RxFilter {
    /// The device.
    pub name: String,
    /// Whether all frames pass.
    #[serde(default)]
    pub promiscuous: bool,
    /// `normal`, `none`, `all`.
    pub multicast: Option<String>,
    /// The same for unicast.
    pub unicast: Option<String>,
    /// The same for VLANs.
    pub vlan: Option<String>,
    /// Whether broadcasts pass.
    pub broadcast_allowed: Option<bool>,
    /// Its own address.
    pub main_mac: Option<String>,
    /// Multicast addresses that pass.
    #[serde(default)]
    pub multicast_table: Vec<String>,
    /// Unicast addresses that pass.
    #[serde(default)]
    pub unicast_table: Vec<String>,
    /// VLANs that pass.
    #[serde(default)]
    pub vlan_table: Vec<u16>,
}

/// A PCI bus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PciBus {
    /// Its number.
    pub bus: i64,
    /// What is on it.
    #[serde(default)]
    pub devices: Vec<PciDevice>,
}

/// A PCI device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PciDevice {
    /// Bus number.
    pub bus: i64,
    /// Slot.
    pub slot: i64,
    /// Function.
    pub function: i64,
    /// Id it was plugged under; empty if none.
    #[serde(default)]
    pub qdev_id: String,
    /// For a bridge, what lies behind it.
    pub pci_bridge: Option<PciBridge>,
}

/// The far side of a PCI bridge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PciBridge {
    /// What is behind it.
    #[serde(default)]
    pub devices: Vec<PciDevice>,
}
