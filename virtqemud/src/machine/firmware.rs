//! Which firmware a guest boots with: chosen among what is installed, or recognised by its path.
//!
//! The choice is written into the document, so that it stays when other firmware is installed later. Nothing is opened here.

use std::path::{Path, PathBuf};

use virtbus_api::{Error, ErrorCode, Result};
use virtbus_schema::domain::features::Smm;
use virtbus_schema::domain::os::{
    FirmwareFeature, FirmwareFeatureName, FirmwareFormat, FirmwareKind, Loader, LoaderKind, Nvram, NvramKind,
};
use virtbus_schema::domain::{Domain, Features, LaunchSecurity};
use virtbus_schema::xml::{OnOff, YesNo};

use crate::capabilities::firmware::{Firmware, Image, Mapping};

/// What of the host the choice depends on.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Firmware, in order of preference.
    pub firmware: Vec<Firmware>,
    /// Where guests' variable stores lie that have no path of their own.
    pub nvram: PathBuf,
}

impl Installed {
    /// What QEMU's descriptors in the usual directories name; reads them. `nvram` is where variable stores lie.
    #[must_use]
    pub fn read(nvram: impl Into<PathBuf>) -> Self {
        let directories: Vec<PathBuf> = crate::capabilities::firmware::DIRECTORIES.iter().map(PathBuf::from).collect();
        Self { firmware: crate::capabilities::firmware::installed(&directories), nvram: nvram.into() }
    }
}

/// Whether the document needs the installed firmware to be known.
#[must_use]
pub fn is_wanted(domain: &Domain) -> bool {
    domain.os.firmware.is_some() || domain.os.loader.as_ref().is_some_and(|it| it.kind == Some(LoaderKind::Pflash))
}

/// Settles the firmware.
///
/// # Errors
/// `OPERATION_FAILED` when the document asks for firmware and none fits, `CONFIG_UNSUPPORTED` for what cannot be.
pub(super) fn settle(domain: &mut Domain, installed: Option<&Installed>) -> Result<()> {
    stores(domain)?;
    if let Some(loader) = &mut domain.os.loader
        && loader.path.is_some()
    {
        // The reference says nothing of a ROM's format where the document calls it one.
        if loader.kind != Some(LoaderKind::Rom) {
            loader.format.get_or_insert(FirmwareFormat::Raw);
        }
        loader.kind.get_or_insert(LoaderKind::Rom);
    }
    let path = domain.os.loader.as_ref().and_then(|it| it.path.clone());
    let Some(installed) = installed else { return Ok(()) };
    match (domain.os.firmware, path) {
        (Some(kind), path) => {
            let fitting = installed.firmware.iter().find(|it| fits(it, kind, path.as_deref(), domain));
            let Some(firmware) = fitting else {
                return Err(Error::failed(format!(
                    "Unable to find '{kind}' firmware that is compatible with the current configuration"
                )));
            };
            adopt(firmware, domain, installed);
        }
        (None, Some(path)) if is_flash(domain) => {
            let stateless = domain.os.loader.as_ref().is_some_and(|it| it.stateless == Some(YesNo::Yes));
            let known = installed.firmware.iter().find(|it| fits(it, FirmwareKind::Efi, Some(&path), domain));
            match known.filter(|_| !stateless) {
                Some(firmware) => {
                    domain.os.firmware = Some(FirmwareKind::Efi);
                    adopt(firmware, domain, installed);
                }
                None if !stateless && is_read_only(domain) => {
                    let usual = crate::capabilities::firmware::usual_store(Path::new(&path));
                    let raw = |filename| Image { filename, format: None };
                    give_nvram(domain, installed, usual.map(raw).as_ref());
                }
                // Code that can be written keeps its variables itself.
                None if domain.os.nvram.as_ref() == Some(&Nvram::default()) => domain.os.nvram = None,
                None => {}
            }
        }
        (None, _) => {}
    }
    Ok(())
}

/// Only some firmware keeps variables, and keys are of use to secure boot alone.
fn stores(domain: &Domain) -> Result<()> {
    let os = &domain.os;
    let detail = |text: &str| Err(Error::new(ErrorCode::XmlDetail, text));
    let keeps = os.loader.as_ref().is_some_and(|it| it.stateless == Some(YesNo::No));
    if os.firmware == Some(FirmwareKind::Bios) {
        if os.nvram.is_some() {
            return detail("firmware type 'bios' does not support nvram");
        }
        if keeps {
            return detail("Only EFI firmware permits NVRAM");
        }
    }
    if os.nvram.is_some() && os.loader.as_ref().is_some_and(|it| it.stateless == Some(YesNo::Yes)) {
        return detail("NVRAM is not permitted when loader is stateless");
    }
    let rom = os.loader.as_ref().is_some_and(|it| it.kind != Some(LoaderKind::Pflash) && it.path.is_some());
    if os.firmware.is_none() && keeps && rom {
        return detail("Only pflash loader type permits NVRAM");
    }
    let wants = |name, enabled| os.firmware_features.iter().any(|it| it.name == name && it.enabled == enabled);
    if wants(FirmwareFeatureName::EnrolledKeys, YesNo::Yes) && wants(FirmwareFeatureName::SecureBoot, YesNo::No) {
        return detail(
            "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled",
        );
    }
    Ok(())
}

fn is_flash(domain: &Domain) -> bool {
    domain.os.loader.as_ref().is_some_and(|it| it.kind == Some(LoaderKind::Pflash))
}

fn is_read_only(domain: &Domain) -> bool {
    domain.os.loader.as_ref().is_some_and(|it| it.readonly == Some(YesNo::Yes))
}

fn format_of(image: &Image) -> FirmwareFormat {
    if image.format.as_deref() == Some("qcow2") { FirmwareFormat::Qcow2 } else { FirmwareFormat::Raw }
}

/// Whether firmware is of the kind, for the machine, and has what the document asks of it.
fn fits(it: &Firmware, kind: FirmwareKind, path: Option<&str>, domain: &Domain) -> bool {
    let interface = match kind {
        FirmwareKind::Efi => "uefi",
        FirmwareKind::Bios => "bios",
    };
    let os = &domain.os.kind;
    let arch = os.arch.as_deref().unwrap_or_default();
    // QEMU's name of the 32-bit PC.
    let arch = if arch == "i686" { "i386" } else { arch };
    let has = |feature: &str| it.features.iter().any(|known| known == feature);
    let wanted = |name: FirmwareFeatureName| {
        domain.os.firmware_features.iter().find(|it| it.name == name).map(|it| it.enabled == YesNo::Yes)
    };
    let agrees = |asked: Option<bool>, has: bool| asked.is_none_or(|asked| asked == has);
    let none = Loader::default();
    let loader = domain.os.loader.as_ref().unwrap_or(&none);
    // What is said of the store alone is meant of both.
    let format_of_store = domain.os.nvram.as_ref().and_then(|it| it.format);
    let Mapping::Flash { executable, nvram_template } = &it.mapping else {
        return false;
    };
    let smm_off = domain.features.as_ref().and_then(|it| it.smm.as_ref()).is_some_and(|it| !it.state.is_on());
    // A guest whose memory is hidden from the host needs firmware that can live with it.
    let hidden = match &domain.launch_security {
        Some(LaunchSecurity::Sev { policy, .. }) => Some(if policy.0 & 4 != 0 { "amd-sev-es" } else { "amd-sev" }),
        Some(LaunchSecurity::SevSnp { .. }) => Some("amd-sev-snp"),
        Some(LaunchSecurity::S390Pv) | None => None,
    };
    hidden.is_none_or(has)
        && it.interfaces.iter().any(|it| it == interface)
        && it.fits(arch, os.machine.as_deref().unwrap_or_default())
        && path.is_none_or(|path| executable.filename == Path::new(path))
        && loader.kind != Some(LoaderKind::Rom)
        && loader.readonly != Some(YesNo::No)
        && loader.stateless != Some(YesNo::Yes)
        && loader.format.or(format_of_store).is_none_or(|format| format == format_of(executable))
        && agrees(wanted(FirmwareFeatureName::SecureBoot), has("secure-boot"))
        && agrees(wanted(FirmwareFeatureName::EnrolledKeys), has("enrolled-keys"))
        && agrees(loader.secure.map(|it| it == YesNo::Yes), has("requires-smm"))
        && !(has("requires-smm") && smm_off)
        && nvram_fits(domain.os.nvram.as_ref(), nvram_template.as_ref())
}

fn nvram_fits(asked: Option<&Nvram>, template: Option<&Image>) -> bool {
    let (Some(asked), Some(template)) = (asked, template) else { return true };
    asked.template.as_ref().is_none_or(|path| template.filename == Path::new(path))
}

/// Writes the choice into the document.
fn adopt(firmware: &Firmware, domain: &mut Domain, installed: &Installed) {
    let Mapping::Flash { executable, nvram_template } = &firmware.mapping else { return };
    let has = |feature: &str| firmware.features.iter().any(|known| known == feature);
    let loader = domain.os.loader.get_or_insert_with(Loader::default);
    loader.path.get_or_insert_with(|| executable.filename.to_string_lossy().into_owned());
    loader.kind = Some(LoaderKind::Pflash);
    loader.readonly = Some(YesNo::Yes);
    loader.format.get_or_insert(format_of(executable));
    if has("requires-smm") {
        loader.secure = Some(YesNo::Yes);
        let features = domain.features.get_or_insert_with(Features::default);
        features.smm.get_or_insert(Smm { state: OnOff::On, tseg: None });
    }
    give_nvram(domain, installed, nvram_template.as_ref());
    let feature = |name, on: bool| FirmwareFeature { enabled: if on { YesNo::Yes } else { YesNo::No }, name };
    let mut features = vec![feature(FirmwareFeatureName::SecureBoot, has("secure-boot"))];
    // What a store elsewhere holds is not known.
    if domain.os.nvram.as_ref().is_none_or(|it| it.kind != Some(NvramKind::Network)) {
        features.insert(0, feature(FirmwareFeatureName::EnrolledKeys, has("enrolled-keys")));
    }
    domain.os.firmware_features = features;
}

/// The guest's variable store: its own path, what it begins as, and its format, which is that of what it begins as.
fn give_nvram(domain: &mut Domain, installed: &Installed, template: Option<&Image>) {
    let of_code = domain.os.loader.as_ref().and_then(|it| it.format).unwrap_or(FirmwareFormat::Raw);
    let nvram = domain.os.nvram.get_or_insert_with(Nvram::default);
    if let Some(template) = template.filter(|_| nvram.kind != Some(NvramKind::Network)) {
        if nvram.template.is_none() {
            nvram.template = Some(template.filename.to_string_lossy().into_owned());
            nvram.template_format = Some(format_of(template));
        }
        nvram.template_format.get_or_insert(format_of(template));
    }
    // A store that is there keeps its format.
    let own = nvram.format.filter(|_| nvram.path.is_some() || nvram.source.is_some());
    if nvram.kind == Some(NvramKind::Network) {
        // What is elsewhere is made there.
        (nvram.template, nvram.template_format) = (None, None);
    }
    let format = own.or(nvram.template_format).unwrap_or(of_code);
    nvram.format = Some(format);
    if nvram.source.is_none() {
        let ending = if format == FirmwareFormat::Qcow2 { "qcow2" } else { "fd" };
        let name = format!("{}_VARS.{ending}", domain.name);
        nvram.path.get_or_insert_with(|| installed.nvram.join(name).to_string_lossy().into_owned());
    }
}
