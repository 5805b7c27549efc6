//! `swtpm`, which is a guest's TPM: its state below `swtpm/UUID`, made by `swtpm_setup` when there is none.

mod state;

use std::collections::HashMap;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use virtbus_api::storage::SecretValue;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_host::account;
use virtbus_host::process::Spawn;
use virtbus_schema::domain::device::tpm::{PcrBanks, Tpm, TpmBackend, TpmEmulator, TpmProfile, TpmVersion};

use super::{Plan, Serves, Step, make_directory, program};
use crate::config::{Layout, User};
use crate::device::secret::Wanted;

pub(crate) use state::{State, states};

/// Whose TPM it is.
pub(crate) struct Guest<'a> {
    pub(crate) layout: &'a Layout,
    /// `ID-NAME`.
    pub(crate) short_name: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uuid: uuid::Uuid,
    /// Who QEMU runs as.
    pub(crate) user: Option<&'a User>,
    /// Values of secrets.
    pub(crate) secrets: &'a HashMap<Wanted, SecretValue>,
}

/// Where QEMU reaches it.
pub(crate) fn socket(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("swtpm").join(format!("{short_name}-swtpm.sock"))
}

/// Where its pid is kept.
pub(crate) fn pid_file(layout: &Layout, short_name: &str) -> PathBuf {
    layout.run.join("swtpm").join(format!("{short_name}-swtpm.pid"))
}

/// How a state is encrypted.
const CIPHER: &str = "aes-256-cbc";

/// The account that swtpm's package makes for it.
const ACCOUNT: &str = "tss";

/// What is to be run for a guest's TPM; none when it is not an emulated one. Makes directories.
///
/// # Errors
/// swtpm is not installed, or a directory cannot be made.
pub(crate) fn plan(tpm: &Tpm, guest: &Guest<'_>) -> Result<Option<Plan>> {
    let TpmBackend::Emulator(emulator) = &tpm.backend else { return Ok(None) };
    // Where the state is, and whether it is kept when the guest is undefined, is known to `state`.
    let TpmEmulator { version, persistent_state: _, debug, encryption, active_pcr_banks, source: _, profile } =
        emulator;
    let passphrase =
        encryption.map(|it| guest.secrets.get(&Wanted::Uuid(it)).ok_or_else(|| no_secret(it))).transpose()?;
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
    let state = State::of(emulator, layout, guest.uuid);
    let known = state.is_known();
    if let Some(directory) = state.directory() {
        make_directory(directory, 0o700, own.as_ref())?;
    } else if let State::File(file) = &state
        && let Some(parent) = file.parent().filter(|it| !it.exists())
    {
        // swtpm writes the file anew each time, for which the directory has to be its own.
        make_directory(parent, 0o700, own.as_ref())?;
    }

    let as_own = |spawn: Spawn| match &own {
        Some(own) => spawn.uid_gid(own.uid, own.gid, &own.groups),
        None => spawn,
    };
    let begin = || -> Result<Spawn> {
        let mut spawn = Spawn::new(&setup).args(["--tpm-state", &state.for_setup()]).arg("--logfile").arg(&log);
        if is_v2 {
            spawn = spawn.arg("--tpm2");
        }
        if let Some(passphrase) = passphrase {
            let fd = spawn.pass(readable(passphrase)?);
            spawn = spawn.args(["--pwdfile-fd", &fd.to_string(), "--cipher", CIPHER]);
        }
        Ok(as_own(spawn))
    };
    let mut first = Vec::new();
    if !known {
        let vmid = format!("{}:{}", guest.name, guest.uuid.hyphenated());
        let spawn = begin()?.args(["--vmid", &vmid, "--createek", "--create-ek-cert", "--create-platform-cert"]);
        let mut spawn = spawn.args(["--lock-nvram", "--not-overwrite"]);
        let mut lacking = None;
        if let Some(TpmProfile { source, remove_disabled, name: _ }) = profile {
            lacking = Some("<profile>: this swtpm_setup has no support for profiles");
            for (option, value) in [("--profile-name", source), ("--profile-remove-disabled", remove_disabled)] {
                if let Some(value) = value {
                    spawn = spawn.args([option, value]);
                }
            }
        }
        let what = format!("swtpm_setup cannot make the TPM, see '{}'", log.display());
        first.push(Step { spawn, what, lacking });
    }
    if let Some(banks) = active_pcr_banks.map(banks).filter(|it| is_v2 && !it.is_empty()) {
        let spawn = begin()?.args(["--pcr-banks", &banks, "--reconfigure"]);
        let what = format!("swtpm_setup cannot set the PCR banks, see '{}'", log.display());
        first.push(Step { spawn, what, lacking: None });
    }
    let socket = socket(layout, guest.short_name);
    let level = debug.map(|it| format!(",level={it}")).unwrap_or_default();
    let mut spawn = Spawn::new(swtpm)
        .arg("socket")
        .args(["--ctrl", &format!("type=unixio,path={},mode=0600", socket.display())])
        .args(["--tpmstate", &state.for_swtpm()])
        .args(["--log", &format!("file={}{level}", log.display())])
        .arg("--terminate");
    if is_v2 {
        spawn = spawn.arg("--tpm2");
    }
    if let Some(passphrase) = passphrase {
        for option in ["--key", "--migration-key"] {
            let fd = spawn.pass(readable(passphrase)?);
            spawn = spawn.args([option, &format!("pwdfd={fd},mode={CIPHER}")]);
        }
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

fn no_secret(uuid: uuid::Uuid) -> Error {
    Error::new(ErrorCode::NoSecret, format!("no secret with matching uuid '{uuid}'"))
}

/// A pipe with a value in it, which is far smaller than a pipe.
fn readable(value: &SecretValue) -> Result<OwnedFd> {
    let (from, mut to) = std::io::pipe().map_err(|error| Error::system("cannot make a pipe", &error))?;
    to.write_all(value.expose()).map_err(|error| Error::system("cannot write to a pipe", &error))?;
    Ok(from.into())
}

/// `/var/log/libvirt/qemu` has `/var/log/swtpm/libvirt/qemu` beside it.
fn log_directory(log: &Path) -> PathBuf {
    match log.ancestors().nth(2) {
        Some(above) if log.ends_with("libvirt/qemu") => above.join("swtpm/libvirt/qemu"),
        _ => log.join("swtpm"),
    }
}

fn banks(it: PcrBanks) -> String {
    let PcrBanks { sha1, sha256, sha384, sha512 } = it;
    let named = [("sha1", sha1), ("sha256", sha256), ("sha384", sha384), ("sha512", sha512)];
    named.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}
