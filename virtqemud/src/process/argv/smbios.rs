//! `-smbios` and `-fw_cfg`: tables and blobs the firmware shows the guest.

use std::fmt::Write as _;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::os::SmbiosMode;
use virtbus_schema::domain::sysinfo::{Smbios, SmbiosTable, Sysinfo};

use super::CommandLine;
use crate::device::chardev::escape;

/// Writes the options.
pub(super) fn write(domain: &Domain, line: &mut CommandLine) -> Result<()> {
    match domain.os.smbios {
        Some(SmbiosMode::Sysinfo) => {
            let found = domain.sysinfo.iter().find_map(|it| match it {
                Sysinfo::Smbios(it) => Some(it),
                Sysinfo::Fwcfg { .. } => None,
            });
            let tables =
                found.ok_or_else(|| Error::xml(format!("Domain '{}' sysinfo are not available", domain.name)))?;
            if tables.base_boards.len() > 1 {
                return Err(Error::unsupported_config(
                    "QEMU has one board in its SMBIOS tables, and the guest asks for more",
                ));
            }
            smbios(tables, line);
        }
        Some(SmbiosMode::Host) => {
            return Err(Error::unsupported_config("Host SMBIOS information is not available"));
        }
        Some(SmbiosMode::Emulate | SmbiosMode::None) | None => {}
    }
    for info in &domain.sysinfo {
        let Sysinfo::Fwcfg { entries } = info else { continue };
        for entry in entries {
            let mut out = format!("name={}", escape(&entry.name));
            match (&entry.file, &entry.value) {
                (Some(file), _) => {
                    let _ = write!(out, ",file={}", escape(file));
                }
                (None, value) => {
                    let _ = write!(out, ",string={}", escape(value.as_deref().unwrap_or_default()));
                }
            }
            line.option("-fw_cfg", out);
        }
    }
    Ok(())
}

fn table(number: u32, table: &SmbiosTable, names: &[(&str, &str)], line: &mut CommandLine) {
    let mut out = format!("type={number}");
    for (entry, option) in names {
        match table.entry(entry) {
            Some(value) => {
                let _ = write!(out, ",{option}={}", escape(value));
            }
            // Boards and chassis without a maker would get QEMU's.
            None if *entry == "manufacturer" && number > 1 => out.push_str(",manufacturer="),
            None => {}
        }
    }
    line.option("-smbios", out);
}

fn smbios(it: &Smbios, line: &mut CommandLine) {
    if let Some(bios) = &it.bios {
        table(0, bios, &[("vendor", "vendor"), ("version", "version"), ("date", "date"), ("release", "release")], line);
    }
    if let Some(system) = &it.system {
        let names = [
            ("manufacturer", "manufacturer"),
            ("product", "product"),
            ("version", "version"),
            ("serial", "serial"),
            ("uuid", "uuid"),
            ("sku", "sku"),
            ("family", "family"),
        ];
        table(1, system, &names, line);
    }
    for board in &it.base_boards {
        let names = [
            ("manufacturer", "manufacturer"),
            ("product", "product"),
            ("version", "version"),
            ("serial", "serial"),
            ("asset", "asset"),
            ("location", "location"),
        ];
        table(2, board, &names, line);
    }
    if let Some(chassis) = &it.chassis {
        let names = [
            ("manufacturer", "manufacturer"),
            ("version", "version"),
            ("serial", "serial"),
            ("asset", "asset"),
            ("sku", "sku"),
        ];
        table(3, chassis, &names, line);
    }
    if let Some(strings) = &it.oem_strings {
        let mut out = "type=11".to_owned();
        for entry in &strings.entries {
            let _ = write!(out, ",value={}", escape(entry));
        }
        line.option("-smbios", out);
    }
}
