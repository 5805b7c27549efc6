//! `<tpm>`: a trusted platform module, the host's or a process's.

use virtbus_api::{Error, Result};
use virtbus_schema::domain::device::tpm::{Tpm, TpmBackend, TpmModel, TpmSocket};

use super::chardev::{Backend, Chardev, Socket, escape};
use super::props::props;
use super::{AddressKind, Cx, Part, QemuDevice, alias};

props! {
    struct Device<'a> { driver: &'a str, tpmdev: &'a str, id: &'a str }
}

/// The host's module where the document names none.
pub(crate) const FIRST: &str = "/dev/tpm0";

/// The host's module a document means.
pub(crate) fn host_path(it: &Tpm) -> Option<&str> {
    match &it.backend {
        TpmBackend::Passthrough { device, .. } => Some(device.as_deref().unwrap_or(FIRST)),
        TpmBackend::Emulator(_) | TpmBackend::External { .. } => None,
    }
}

impl QemuDevice for Tpm {
    fn address(&self) -> AddressKind {
        AddressKind::None
    }

    fn parts(&self, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
        // Wherever it is on the board, QEMU puts it there.
        let Tpm { model, backend, info: _ } = self;
        let id = alias::of(self)?;
        let tpmdev = format!("tpm-{id}");
        let mut parts = match backend {
            TpmBackend::Passthrough { .. } => passthrough(self, id, &tpmdev, cx)?,
            TpmBackend::Emulator(_) => {
                let lead = match cx.host.sockets.remove(id) {
                    Some(path) => {
                        let path = path.to_string_lossy().into_owned();
                        Backend::Unix { path, socket: Socket::default() }
                    }
                    // Shown only: no process is there to be reached.
                    None if cx.only_shown => Backend::Null,
                    None => return Err(Error::internal(format!("{id}: the emulator does not run"))),
                };
                emulator(lead, &tpmdev)
            }
            TpmBackend::External { source, version: _ } => {
                let Some(TpmSocket { kind: _, mode: _, path: Some(path) }) = source else {
                    return Err(Error::xml("missing socket path for an external TPM"));
                };
                emulator(Backend::Unix { path: path.clone(), socket: Socket::default() }, &tpmdev)
            }
        };
        let model = model.unwrap_or(TpmModel::TpmTis).as_str();
        parts.push(Part::device(id, &Device { driver: model, tpmdev: &tpmdev, id })?);
        Ok(parts)
    }
}

fn emulator(lead: Backend, tpmdev: &str) -> Vec<Part> {
    let chardev = Chardev::new("chrtpm", lead);
    let argument = format!("emulator,id={tpmdev},chardev={}", chardev.id());
    vec![Part::Chardev(chardev), Part::Option("-tpmdev", argument)]
}

fn passthrough(it: &Tpm, id: &str, tpmdev: &str, cx: &mut Cx<'_>) -> Result<Vec<Part>> {
    let mut open = cx.host.descriptors.remove(id).unwrap_or_default().into_iter();
    let (Some(device), Some(cancel)) = (open.next(), open.next()) else {
        let path = host_path(it).unwrap_or(FIRST);
        let missing = std::io::Error::from_raw_os_error(nix::libc::ENOENT);
        return Err(Error::system(format!("Could not open TPM device {path}"), &missing));
    };
    let (add_device, device) = cx.pass_as_file(device, &format!("{id}-tpm"));
    let (add_cancel, cancel) = cx.pass_as_file(cancel, &format!("{id}-cancel"));
    let argument = format!("passthrough,id={tpmdev},path={},cancel-path={}", escape(&device), escape(&cancel));
    Ok(vec![add_device, add_cancel, Part::Option("-tpmdev", argument)])
}
