//! `swtpm`, which is a guest's TPM: its state below `swtpm/UUID`, made by `swtpm_setup` when there is none.

use std::path::{Path, PathBuf};

use virtbus_api::{Error, Result};
use virtbus_host::account;
use virtbus_host::process::Spawn;
use virtbus_schema::domain::device::tpm::{PcrBanks, Tpm, TpmBackend, TpmEmulator, TpmState, TpmStateKind, TpmVersion};

use super::{Plan, Serves, Step, make_directory, program};
use crate::config::{Layout, User};

/// Whose TPM it is.
pub(crate) struct Guest<'a> {
    pub(crate) layout: &'a Layout,
    /// `ID-NAME`.
    pub(crate) short_name: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uuid: uuid::Uuid,
    /// Who QEMU runs as.
    pub(crate) user: Option<&'a User>,
}

/// Where QEMU reaches it.
pub(crate) fn socket(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("swtpm").join(format!("{short_name}-swtpm.sock"))
}

/// Where its pid is kept.
pub(crate) fn pid_file(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("swtpm").join(format!("{short_name}-swtpm.pid"))
}

/// The account that swtpm's package makes for it.
const ACCOUNT: &str = "tss";

/// What is to be run for a guest's TPM; none when it is not an emulated one. Makes directories.
///
/// # Errors
/// swtpm is not installed, or a directory cannot be made.
pub(crate) fn plan(tpm: &Tpm, guest: &Guest<'_>) -> Result<Option<Plan>> {
    let TpmBackend::Emulator(emulator) = &tpm.backend else { return Ok(None) };
    // Kept or thrown away when the guest is undefined.
    let TpmEmulator { version, persistent_state: _, debug, encryption, active_pcr_banks, source, profile } = emulator;
    if encryption.is_some() {
        return Err(Error::unsupported_config("<encryption> of an emulated TPM is not supported yet"));
    }
    if profile.is_some() {
        return Err(Error::unsupported_config("<profile> of an emulated TPM is not supported by this swtpm"));
    }
    let element = "<tpm> with an emulator";
    let (swtpm, setup) = (program("swtpm", element)?, program("swtpm_setup", element)?);
    // Root gives it an account of its own; others run it as themselves.
    let own = if nix::unistd::geteuid().is_root() { account::user(ACCOUNT).ok().flatten() } else { None };
    let own = own.and_then(|it| it.gid.map(|gid| User { uid: it.uid, gid, groups: vec![gid] }));
    let is_v2 = *version != Some(TpmVersion::V1_2);
    let layout = guest.layout;
    let run = layout.run.join("swtpm");
    make_directory(&run, 0o771, own.as_ref())?;
    let log = log_directory(&layout.log);
    make_directory(&log, 0o730, own.as_ref())?;
    let log = log.join(format!("{}-swtpm.log", guest.name));
    let state = state(source.as_ref(), layout, guest.uuid, is_v2);
    let known = std::fs::read_dir(&state).is_ok_and(|mut it| it.next().is_some());
    make_directory(&state, 0o700, own.as_ref())?;

    let as_own = |spawn: Spawn| match &own {
        Some(own) => spawn.uid_gid(own.uid, own.gid, &own.groups),
        None => spawn,
    };
    let begin = || {
        let spawn = Spawn::new(&setup).arg("--tpm-state").arg(&state).arg("--logfile").arg(&log);
        as_own(if is_v2 { spawn.arg("--tpm2") } else { spawn })
    };
    let mut first = Vec::new();
    if !known {
        let vmid = format!("{}:{}", guest.name, guest.uuid.hyphenated());
        let spawn = begin().args(["--vmid", &vmid, "--createek", "--create-ek-cert", "--create-platform-cert"]);
        let spawn = spawn.args(["--lock-nvram", "--not-overwrite"]);
        first.push(Step { spawn, what: format!("swtpm_setup cannot make the TPM, see '{}'", log.display()) });
    }
    if let Some(banks) = active_pcr_banks.map(banks).filter(|it| is_v2 && !it.is_empty()) {
        let spawn = begin().args(["--pcr-banks", &banks, "--reconfigure"]);
        first.push(Step { spawn, what: format!("swtpm_setup cannot set the PCR banks, see '{}'", log.display()) });
    }
    let socket = socket(layout, guest.short_name);
    let level = debug.map(|it| format!(",level={it}")).unwrap_or_default();
    let mut spawn = Spawn::new(swtpm)
        .arg("socket")
        .args(["--ctrl", &format!("type=unixio,path={},mode=0600", socket.display())])
        .args(["--tpmstate", &format!("dir={},mode=0600", state.display())])
        .args(["--log", &format!("file={}{level}", log.display())])
        .arg("--terminate");
    if is_v2 {
        spawn = spawn.arg("--tpm2");
    }
    Ok(Some(Plan {
        name: format!("swtpm of {}", guest.name),
        serves: Serves::Tpm,
        first,
        spawn: as_own(spawn),
        socket: Some(socket),
        user: guest.user.cloned(),
        pid_file: pid_file(layout, guest.short_name),
        files: Vec::new(),
    }))
}

/// `/var/log/libvirt/qemu` has `/var/log/swtpm/libvirt/qemu` beside it.
fn log_directory(log: &Path) -> PathBuf {
    match log.ancestors().nth(2) {
        Some(above) if log.ends_with("libvirt/qemu") => above.join("swtpm/libvirt/qemu"),
        _ => log.join("swtpm"),
    }
}

fn state(source: Option<&TpmState>, layout: &Layout, uuid: uuid::Uuid, is_v2: bool) -> PathBuf {
    match source {
        Some(TpmState { kind: TpmStateKind::Dir, path }) => PathBuf::from(path),
        Some(TpmState { kind: TpmStateKind::File, path }) => {
            Path::new(path).parent().map(Path::to_owned).unwrap_or_default()
        }
        None => {
            let above = layout.lib.parent().unwrap_or(&layout.lib);
            let version = if is_v2 { "tpm2" } else { "tpm1.2" };
            above.join("swtpm").join(uuid.hyphenated().to_string()).join(version)
        }
    }
}

fn banks(it: PcrBanks) -> String {
    let PcrBanks { sha1, sha256, sha384, sha512 } = it;
    let named = [("sha1", sha1), ("sha256", sha256), ("sha384", sha384), ("sha512", sha512)];
    named.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}
