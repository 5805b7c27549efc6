//! The pieces a device is made of in QEMU, in creation order: one description, two renderings.
//!
//! Cold start writes them as arguments; plugging sends the same as QMP commands, and taking back is the list backwards.
//! `-chardev` alone takes no JSON (seen on QEMU 10.0.2), so a character device carries both forms.

use serde::Serialize;
use serde_json::value::RawValue;
use virtbus_api::Result;

use super::chardev::Chardev;
use super::props::Props;

/// One piece.
#[derive(Debug, Clone)]
pub enum Part {
    /// `-object`, `object-add`.
    Object(Props),
    /// `-chardev`, `chardev-add`.
    Chardev(Chardev),
    /// `-netdev`, `netdev_add`.
    Netdev(Props),
    /// `-blockdev`, `blockdev-add`.
    Blockdev(Props),
    /// `-device`, `device_add`.
    Device(Props),
    /// Any other option: there before the guest starts and as long as it lives (`-vnc`, `-audiodev`, `-global`).
    Option(&'static str, String),
}

/// A QMP command made from a part.
#[derive(Debug, Clone, Serialize)]
pub struct QmpCommand {
    /// The command's name.
    pub execute: &'static str,
    /// Its arguments.
    pub arguments: Box<RawValue>,
}

impl Part {
    /// An object.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn object(id: impl Into<String>, members: &impl Serialize) -> Result<Self> {
        Props::new(id, members).map(Self::Object)
    }

    /// A network back end.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn netdev(id: impl Into<String>, members: &impl Serialize) -> Result<Self> {
        Props::new(id, members).map(Self::Netdev)
    }

    /// A block node.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn blockdev(node: impl Into<String>, members: &impl Serialize) -> Result<Self> {
        Props::new(node, members).map(Self::Blockdev)
    }

    /// A device.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn device(id: impl Into<String>, members: &impl Serialize) -> Result<Self> {
        Props::new(id, members).map(Self::Device)
    }

    /// The option and its argument on QEMU's command line.
    #[must_use]
    pub fn argv(&self) -> [String; 2] {
        let (option, argument) = match self {
            Part::Object(it) => ("-object", it.json().get().to_owned()),
            Part::Netdev(it) => ("-netdev", it.json().get().to_owned()),
            Part::Blockdev(it) => ("-blockdev", it.json().get().to_owned()),
            Part::Device(it) => ("-device", it.json().get().to_owned()),
            Part::Chardev(it) => ("-chardev", it.argument()),
            Part::Option(option, argument) => (*option, argument.clone()),
        };
        [option.to_owned(), argument]
    }

    /// The command that adds it to a running guest; `None` for what cannot be added.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn add(&self) -> Result<Option<QmpCommand>> {
        let (execute, arguments) = match self {
            Part::Object(it) => ("object-add", it.json().to_owned()),
            Part::Netdev(it) => ("netdev_add", it.json().to_owned()),
            Part::Blockdev(it) => ("blockdev-add", it.json().to_owned()),
            Part::Device(it) => ("device_add", it.json().to_owned()),
            Part::Chardev(it) => ("chardev-add", it.arguments()?),
            Part::Option(..) => return Ok(None),
        };
        Ok(Some(QmpCommand { execute, arguments }))
    }

    /// The command that takes it back; `None` for what cannot be taken back. `device_del` only asks the guest.
    ///
    /// # Errors
    /// As [`Props::new`].
    pub fn del(&self) -> Result<Option<QmpCommand>> {
        #[derive(Serialize)]
        struct Id<'a> {
            id: &'a str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Node<'a> {
            node_name: &'a str,
        }
        let named = |execute, id: &str| {
            Ok(Some(QmpCommand { execute, arguments: Props::new(id, &Id { id })?.json().to_owned() }))
        };
        match self {
            Part::Object(it) => named("object-del", it.id()),
            Part::Netdev(it) => named("netdev_del", it.id()),
            Part::Device(it) => named("device_del", it.id()),
            Part::Chardev(it) => named("chardev-remove", it.id()),
            Part::Blockdev(it) => {
                let arguments = Props::new(it.id(), &Node { node_name: it.id() })?.json().to_owned();
                Ok(Some(QmpCommand { execute: "blockdev-del", arguments }))
            }
            Part::Option(..) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::props::props;
    use super::*;

    props! {
        struct Tablet { driver: &'static str, id: String }
    }

    #[test]
    fn one_description_two_renderings() {
        let part =
            Part::device("input0", &Tablet { driver: "usb-tablet", id: "input0".to_owned() }).expect("plain data");
        assert_eq!(part.argv(), ["-device", r#"{"driver":"usb-tablet","id":"input0"}"#]);
        let add = part.add().expect("plain data").expect("can be added");
        let text = serde_json::to_string(&add).expect("plain data");
        assert_eq!(text, r#"{"execute":"device_add","arguments":{"driver":"usb-tablet","id":"input0"}}"#);
        let del = part.del().expect("plain data").expect("can be taken back");
        assert_eq!(del.execute, "device_del");
        assert_eq!(del.arguments.get(), r#"{"id":"input0"}"#);
    }
}
