//! Firmware given by path: flash images, or a BIOS file.

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::os::{FirmwareFormat, Loader, LoaderKind};
use virtbus_schema::xml::YesNo;

use super::CommandLine;
use crate::device::props::props;
use crate::device::{Cx, Part, disk};

props! {
    struct File<'a> {
        driver: &'static str,
        filename: &'a str,
        node_name: &'static str,
        auto_read_only: bool,
        discard: &'static str,
    }

    struct Format {
        node_name: &'static str,
        read_only: bool,
        driver: &'static str,
        file: &'static str,
        // A flash image that is based on another would be a guest's way into it.
        backing: Option<Nothing>,
    }
}

/// Written as null.
#[derive(Debug, Clone)]
struct Nothing;

impl serde::Serialize for Nothing {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

fn flash_loader(domain: &Domain) -> Option<&Loader> {
    domain.os.loader.as_ref().filter(|it| it.kind == Some(LoaderKind::Pflash) && it.path.is_some())
}

fn format(it: Option<FirmwareFormat>) -> &'static str {
    it.unwrap_or(FirmwareFormat::Raw).as_str()
}

/// The block nodes of flash images: code, and variables.
pub(super) fn flash(domain: &Domain, cx: &mut Cx<'_>, line: &mut CommandLine) -> Result<()> {
    let Some(loader) = flash_loader(domain) else { return Ok(()) };
    if let Some(path) = &loader.path {
        let file = File {
            driver: "file",
            filename: path,
            node_name: "libvirt-pflash0-storage",
            auto_read_only: true,
            discard: "unmap",
        };
        line.part(&Part::blockdev("libvirt-pflash0-storage", &file)?);
        let format = Format {
            node_name: "libvirt-pflash0-format",
            read_only: loader.readonly == Some(YesNo::Yes),
            driver: format(loader.format),
            file: "libvirt-pflash0-storage",
            backing: (loader.format == Some(FirmwareFormat::Qcow2)).then_some(Nothing),
        };
        line.part(&Part::blockdev("libvirt-pflash0-format", &format)?);
    }
    if let Some(nvram) = &domain.os.nvram {
        let raw = format(nvram.format) == "raw";
        for part in disk::nvram_storage(nvram, "libvirt-pflash1-storage", raw, cx)? {
            line.part(&part);
        }
        if !raw {
            let format = Format {
                node_name: "libvirt-pflash1-format",
                read_only: false,
                driver: format(nvram.format),
                file: "libvirt-pflash1-storage",
                backing: Some(Nothing),
            };
            line.part(&Part::blockdev("libvirt-pflash1-format", &format)?);
        }
    }
    Ok(())
}

/// What `-machine` is told of the flash.
pub(super) fn machine_options(domain: &Domain) -> String {
    let mut out = String::new();
    if flash_loader(domain).is_none() {
        return out;
    }
    out.push_str(",pflash0=libvirt-pflash0-format");
    if let Some(nvram) = &domain.os.nvram {
        let node = if format(nvram.format) == "raw" { "storage" } else { "format" };
        out.push_str(",pflash1=libvirt-pflash1-");
        out.push_str(node);
    }
    out
}

/// A BIOS file; or, for flash with secure boot, that only system management mode may write it.
pub(super) fn bios(domain: &Domain, line: &mut CommandLine) {
    let Some(loader) = &domain.os.loader else { return };
    match (loader.kind, &loader.path) {
        (Some(LoaderKind::Pflash), _) => {
            if loader.secure == Some(YesNo::Yes) {
                line.option("-global", "driver=cfi.pflash01,property=secure,value=on");
            }
        }
        (_, Some(path)) => line.option("-bios", path.clone()),
        (_, None) => {}
    }
}
