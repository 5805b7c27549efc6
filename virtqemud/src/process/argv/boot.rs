//! `-boot`, and a kernel that is booted directly.

use std::fmt::Write as _;

use virtbus_api::{Error, Result};
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::os::AcpiTableKind;

use super::CommandLine;
use crate::device::chardev::escape;

/// Writes the options.
pub(super) fn write(domain: &Domain, line: &mut CommandLine) -> Result<()> {
    let os = &domain.os;
    let mut out = String::new();
    if let Some(enable) = os.bootmenu.as_ref().and_then(|it| it.enable) {
        let _ = write!(out, "menu={},", if enable.is_on() { "on" } else { "off" });
    }
    if let Some(timeout) = os.bios.as_ref().and_then(|it| it.reboot_timeout) {
        let _ = write!(out, "reboot-timeout={timeout},");
    }
    if let Some(timeout) = os.bootmenu.as_ref().and_then(|it| it.timeout) {
        let _ = write!(out, "splash-time={timeout},");
    }
    // Nothing but what is asked for is booted from.
    out.push_str("strict=on");
    line.option("-boot", out);
    for (option, path) in [
        ("-kernel", &os.kernel),
        ("-initrd", &os.initrd),
        ("-append", &os.cmdline),
        ("-shim", &os.shim),
        ("-dtb", &os.dtb),
    ] {
        if let Some(path) = path {
            line.option(option, path.clone());
        }
    }
    for table in &os.acpi_tables {
        match table.kind {
            AcpiTableKind::Raw => line.option("-acpitable", format!("file={}", escape(&table.path))),
            AcpiTableKind::Slic => line.option("-acpitable", format!("sig=SLIC,file={}", escape(&table.path))),
            AcpiTableKind::Msdm => line.option("-acpitable", format!("sig=MSDM,file={}", escape(&table.path))),
            other => return Err(Error::unsupported_config(format!("ACPI table type '{other}' is not supported"))),
        }
    }
    Ok(())
}
