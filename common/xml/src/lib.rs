//! XML documents as types: one declaration gives reading, writing, value lists and the list of what is known.
//!
//! This crate knows XML and libvirt's way of writing it; it refuses to know any document. The documents are in `virtbus-schema`.
//!
//! # The vocabulary of `#[derive(Xml)]`
//!
//! A struct is the *inside* of an element; the field that holds it gives the element's name. Fields are written in the order they
//! are declared: attributes first, then content. `Option` means "may be absent", `Vec` "any number", anything else "required".
//!
//! | on a field | the field is |
//! |---|---|
//! | `attr` or `attr = "name"` | an attribute; the type is a [`Value`] |
//! | `attr = "mac/@address"` | an attribute of a child element that has nothing else |
//! | `child` or `child = "name"` | a child element; a `Value` is its text, an `Xml` its inside. `child = "a/b"` goes through `<a>` |
//! | `children = "name"` | a `Vec`: all child elements of that name. `children = "a/b"` is a list wrapped in `<a>` |
//! | `text` | the text of this element |
//! | `flag` or `flag = "name"` | a `bool`: whether the empty child element is there |
//! | `flatten` | another `Xml` type whose parts belong to this same element |
//! | `raw` | a `Vec<RawElement>`: the child elements no other field asked for (put it last) |
//!
//! | beside it | meaning |
//! |---|---|
//! | `default` or `default = expr` | absent means this value; it is always written |
//! | `omit_default` | with `default`: not written when equal to it |
//! | `omit_empty` | a child (with `default`) or wrapper that would be empty is not written |
//! | `required` | an `Option` attribute on a path: if its element is there, so must the attribute be |
//! | `when = path` | written only if `path(&field, &FormatOptions)` says so |
//! | `live` | not written for an inactive document |
//! | `secret` | written only with `FormatOptions::secure` |
//! | `hex = 4` | an unsigned number written as `0x` with at least so many digits, read in any base |
//! | `any_base` | an unsigned number written in decimal, read in any base |
//! | `nonzero` | a number of which zero is refused |
//! | `lenient` | a bad value counts as absent, as the reference has it in a few old places |
//! | `blank` | an empty text counts as absent, except in strict reading |
//! | `must`, `may` | strict reading needs it though reading does not; or the other way round. An element named for one attribute (`mac/@address`) needs that one, unless it `may` |
//! | `form = path` | strict reading asks `path(&str) -> bool` of the text, besides its type |
//! | `free` | strict reading asks no more of the text than `form` does; what is not of the type is refused after all else |
//! | `fault = Unsupported` | bad values are reported under this [`ErrorKind`] |
//!
//! The default name is the field's own (`r#type` is `type`). On the container: `check = path` calls `path(&mut value, node)` after
//! reading, to refuse or to complete; `before = path` calls `path(node)` first;
//! `form = path` calls `path(node)` when strict reading has examined the parts; `absent = path` asks `path(node)` whether an optional element counts as absent; `xmlns = "qemu"` declares that namespace when the value is not the default one;
//! `open` gives the element an end tag of its own even when it has no content.
//!
//! An enum with `#[xml(tag = "type")]` is chosen by an attribute: variants carry fields like structs (or one flattened type, or
//! nothing), are named in kebab case or by `#[xml(name = "...")]`, and one may be `#[xml(default)]`: it is meant when the
//! attribute is absent. It is used through `flatten` or as the inside of a child.
//!
//! `#[derive(XmlEnum)]` on an enum of plain variants makes a [`Value`] with `ALL`, `as_str`, `from_name`, `Display`; names as above.
//!
//! Names with a prefix (`child = "qemu:commandline"`) are matched by namespace, whatever prefix the document uses.
//!
//! ```
//! use virtbus_xml::{FormatOptions, Xml, XmlEnum, YesNo};
//!
//! #[derive(Debug, Clone, PartialEq, Xml)]
//! struct Target {
//!     #[xml(attr)]
//!     dev: String,
//!     #[xml(attr)]
//!     bus: Option<Bus>,
//! }
//!
//! #[derive(Debug, Clone, Copy, PartialEq, XmlEnum)]
//! enum Bus { Virtio, #[xml(name = "scsi")] Scsi }
//!
//! #[derive(Debug, Clone, PartialEq, Xml)]
//! struct Disk {
//!     #[xml(flatten)]
//!     source: Source,
//!     #[xml(child)]
//!     target: Target,
//!     #[xml(flag)]
//!     readonly: bool,
//!     #[xml(attr = "boot/@order", required)]
//!     boot_order: Option<u32>,
//! }
//!
//! #[derive(Debug, Clone, PartialEq, Xml)]
//! #[xml(tag = "type")]
//! enum Source {
//!     File { #[xml(attr = "source/@file")] path: Option<String> },
//!     Block { #[xml(attr = "source/@dev")] path: Option<String> },
//! }
//!
//! let text = "<disk type='file'>\n  <source file='/a'/>\n  <target dev='vda' bus='virtio'/>\n  <readonly/>\n</disk>\n";
//! let disk: Disk = virtbus_xml::from_str(text, "disk")?;
//! assert_eq!(disk.target.bus, Some(Bus::Virtio));
//! assert_eq!(virtbus_xml::to_string(&disk, "disk", FormatOptions::default()), text);
//!
//! let error = virtbus_xml::from_str::<Disk>("<disk type='file'>\n<target dev='vda' bus='viritio'/></disk>", "disk").unwrap_err();
//! assert_eq!(error.path, "disk/target/@bus");
//! assert_eq!(error.line, 2);
//! # Ok::<(), virtbus_xml::Error>(())
//! ```

// Generated code names this crate; so does the code in here.
extern crate self as virtbus_xml;

pub mod decode;
pub mod describe;
pub mod document;
mod entity;
pub mod error;
pub mod form;
pub mod names;
mod parse;
pub mod raw;
pub mod sample;
pub mod value;
pub mod writer;

pub use decode::{Xml, from_str, from_str_strict, to_string};
pub use describe::{Describe, Occurs, Texts};
pub use document::{Attr, Document, Node, Unknown};
pub use error::{Error, ErrorKind, Fault, Result};
pub use parse::{MAX_DEPTH, MAX_DOCUMENT, MAX_NODES};
pub use raw::{RawContent, RawElement, RawPart};
pub use value::{ByteSize, CpuSet, Hex, HexWidth, Mac, OnOff, ScaledValue, Size, Unit, Value, YesNo};
pub use virtbus_xml_derive::{Xml, XmlEnum};
pub use writer::{Escaped, FormatOptions, Writer};
