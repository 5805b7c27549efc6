//! QEMU's command line for a guest, option by option in the reference's order.
//!
//! The order matters to QEMU here and there (objects before what uses them) and to people everywhere: it is what they find in
//! logs and `ps`. Devices describe themselves (`device`); here is what belongs to the machine as a whole.

mod boot;
mod clock;
mod cpu;
mod firmware;
mod machine;
mod memory;
mod native;
mod overrides;
mod smbios;
mod throttle;

use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::controller::ControllerKind;
use virtbus_schema::domain::device::disk::Disk;
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::domain::device::small::Shmem;
use virtbus_schema::domain::device::watchdog::WatchdogAction;

use crate::device::secret::Secrets;
use crate::device::{Cx as DeviceCx, HostEnds, Network, Part, QemuDevice, alias, disk};
use crate::process::capabilities::QemuCaps;

pub use memory::{Backing, directories as memory_directories};
pub use native::as_shown;

/// How QEMU's monitor is reached.
#[derive(Debug)]
pub enum Monitor {
    /// QEMU listens at a path; for a command line that is only shown.
    Path(PathBuf),
    /// A listening socket that is passed on.
    Fd(OwnedFd),
}

/// What a command line depends on besides the guest and its emulator.
#[derive(Debug)]
pub struct Cx<'a> {
    /// What the emulator can do.
    pub caps: &'a QemuCaps,
    /// The guest's own directory (`domain-ID-NAME`), QEMU's home.
    pub home: &'a Path,
    /// How the monitor is reached.
    pub monitor: Monitor,
    /// Host ends of network cards by alias; none for a command line that is only shown.
    pub networks: std::collections::HashMap<String, Network>,
    /// What was opened or started on the host for other devices.
    pub host: HostEnds,
    /// Whether QEMU may confine itself by seccomp.
    pub sandbox: bool,
    /// Whether core dumps of QEMU hold the guest's memory unless the document says otherwise.
    pub dump_guest_core: bool,
    /// Where memory comes from.
    pub backing: Backing,
    /// Seconds since the epoch, for clocks that do not follow the host's.
    pub now: i64,
    /// Values of secrets the document names, with the master key that lies in the guest's directory.
    pub secrets: Secrets,
}

/// A finished command line.
#[derive(Debug)]
pub struct CommandLine {
    /// The emulator.
    pub program: PathBuf,
    /// The environment, which is all there is of it.
    pub env: Vec<(String, String)>,
    /// The arguments.
    pub args: Vec<String>,
    /// Descriptors by the number they are named by in the arguments.
    pub fds: Vec<(OwnedFd, RawFd)>,
}

impl CommandLine {
    fn flag(&mut self, option: &str) {
        self.args.push(option.to_owned());
    }

    fn option(&mut self, option: &str, argument: impl Into<String>) {
        self.args.push(option.to_owned());
        self.args.push(argument.into());
    }

    fn part(&mut self, part: &Part) {
        let [option, argument] = part.argv();
        self.args.push(option);
        // Options such as -full-screen stand alone.
        if !argument.is_empty() {
            self.args.push(argument);
        }
    }
}

/// Names what the command line refers to by name: devices and images. Call it before [`build`], on the live document.
pub fn name_parts(domain: &mut Domain) {
    alias::assign(domain);
    disk::number_images(domain);
}

/// The command line of a complete guest with named parts.
///
/// # Errors
/// The emulator cannot do what the document asks; what is not supported yet is named under `CONFIG_UNSUPPORTED`.
pub fn build(domain: &Domain, cx: Cx<'_>) -> Result<CommandLine> {
    let Cx { caps, home, monitor, networks, host, sandbox, dump_guest_core, now, secrets, backing } = cx;
    let mut line =
        CommandLine { program: caps.binary.clone(), env: environment(home, domain), args: Vec::new(), fds: Vec::new() };
    if let Some(emulator) = &domain.devices.emulator {
        line.program = PathBuf::from(emulator);
    }
    let mut devices = DeviceCx::new(domain, caps);
    devices.networks = networks;
    devices.host = host;
    devices.backing = backing.clone();
    devices.secrets = secrets;
    devices.home = home.to_owned();
    devices.only_shown = matches!(monitor, Monitor::Path(_));
    let home = home.to_string_lossy();

    line.option("-name", format!("guest={},debug-threads=on", crate::device::chardev::escape(&domain.name)));
    deprecation(domain, &mut line);
    line.flag("-S");
    line.option(
        "-object",
        format!(
            r#"{{"qom-type":"secret","id":"masterKey0","format":"raw","file":{}}}"#,
            json_text(&format!("{home}/master-key.aes"))
        ),
    );
    reservations(domain, &devices, &mut line)?;
    firmware::flash(domain, &mut devices, &mut line)?;
    machine::write(domain, caps, dump_guest_core, &mut line)?;
    if let Some(features) = &domain.features {
        machine::smm_memory(features, &mut line);
    }
    let none = virtbus_schema::domain::Features::default();
    let features = domain.features.as_ref().unwrap_or(&none);
    if let Some(model) = cpu::model(domain, features, devices.kvm, caps.arch != "i686")? {
        line.option("-cpu", model);
    }
    firmware::bios(domain, &mut line);
    memory::write(domain, caps, &backing, &mut line)?;
    line.option("-smp", cpu::smp(domain));
    machine::iothreads(domain, &mut line)?;
    memory::numa(domain, caps, &backing, &mut line)?;
    throttle::groups(domain, &mut line)?;
    if let Some(uuid) = domain.uuid {
        line.option("-uuid", uuid.hyphenated().to_string());
    }
    if let Some(genid) = domain.genid.as_ref().and_then(|it| it.0) {
        line.option("-device", format!(r#"{{"driver":"vmgenid","guid":"{genid}","id":"vmgenid0"}}"#));
    }
    smbios::write(domain, &mut line)?;
    if domain.devices.graphics.is_empty() {
        line.option("-display", "none");
    }
    line.flag("-no-user-config");
    line.flag("-nodefaults");
    write_monitor(monitor, &home, &mut devices, &mut line);
    clock::write(&domain.clock, now, &mut line);
    line.flag("-no-shutdown");
    machine::power_management(domain, devices.board, &mut line);
    boot::write(domain, &mut line)?;
    machine::pci_window(domain, &mut line);
    machine::root_hotplug(domain, devices.board, &mut line);
    write_devices(domain, &mut devices, &mut line)?;
    if features.vmcoreinfo.is_some_and(|it| it.state.is_on()) {
        line.option("-device", r#"{"driver":"vmcoreinfo"}"#);
    }
    if let Some(commandline) = &domain.qemu.commandline {
        line.args.extend(commandline.args.iter().map(|it| it.value.clone()));
        line.env.extend(commandline.env.iter().map(|it| (it.name.clone(), it.value.clone().unwrap_or_default())));
    }
    if sandbox {
        line.option("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    }
    if let Some(teardown) = domain.features.as_ref().and_then(|it| it.async_teardown) {
        let on = if teardown.enabled.is_on() { "on" } else { "off" };
        line.option("-run-with", format!("async-teardown={on}"));
    }
    let mut to = Devices { cx: &mut devices, line: &mut line };
    to.each(&domain.devices.panics)?;
    for shmem in &domain.devices.shmems {
        to.shmem(shmem)?;
    }
    to.each(&domain.devices.vsocks)?;
    to.each(&domain.devices.cryptos)?;
    to.each(&domain.devices.pstores)?;
    to.each(&domain.devices.leases)?;
    line.option("-msg", "timestamp=on");
    line.fds.extend(devices.take_descriptors());
    Ok(line)
}

/// What QEMU does when it is told something it will not know any more one day.
fn deprecation(domain: &Domain, line: &mut CommandLine) {
    let input = match domain.qemu.deprecation.as_deref() {
        None | Some("none") => return,
        Some("omit") => None,
        Some(input @ ("reject" | "crash")) => Some(input),
        // What nobody knows asks for nothing: it was refused where reading is strict.
        Some(_) => return,
    };
    let input = input.map(|it| format!(r#","deprecated-input":"{it}""#)).unwrap_or_default();
    line.option("-compat", format!(r#"{{"deprecated-output":"hide"{input}}}"#));
}

/// QEMU and its libraries find nothing of the daemon's own home.
fn environment(home: &Path, domain: &Domain) -> Vec<(String, String)> {
    let home = home.to_string_lossy();
    let mut env = vec![("LC_ALL".to_owned(), "C".to_owned())];
    env.push(("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()));
    for (name, below) in [
        ("HOME", ""),
        ("XDG_DATA_HOME", "/.local/share"),
        ("XDG_CACHE_HOME", "/.cache"),
        ("XDG_CONFIG_HOME", "/.config"),
    ] {
        env.push((name.to_owned(), format!("{home}{below}")));
    }
    for graphics in &domain.devices.graphics {
        if let Graphics::Sdl { display, xauth, .. } = graphics {
            env.extend(xauth.iter().map(|it| ("XAUTHORITY".to_owned(), it.clone())));
            env.extend(display.iter().map(|it| ("DISPLAY".to_owned(), it.clone())));
        }
    }
    // SDL is told once for all its sound.
    if let Some(driver) = domain.devices.audios.iter().rev().find_map(|it| it.driver) {
        env.push(("SDL_AUDIODRIVER".to_owned(), driver.as_str().to_owned()));
    }
    env
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_monitor(monitor: Monitor, home: &str, devices: &mut DeviceCx<'_>, line: &mut CommandLine) {
    let way = match monitor {
        Monitor::Path(path) => format!("path={}", crate::device::chardev::escape(&path.to_string_lossy())),
        Monitor::Fd(fd) => format!("fd={}", devices.pass(fd)),
    };
    let _ = home;
    line.option("-chardev", format!("socket,id=charmonitor,{way},server=on,wait=off"));
    line.option("-mon", "chardev=charmonitor,id=monitor,mode=control");
}

/// Writes devices, with what `<qemu:override>` says of them.
struct Devices<'a, 'b> {
    cx: &'b mut DeviceCx<'a>,
    line: &'b mut CommandLine,
}

impl Devices<'_, '_> {
    /// The one kind whose device the reference writes before the character device it uses: QEMU makes these first anyhow.
    fn shmem(&mut self, device: &Shmem) -> Result<()> {
        let (first, rest): (Vec<Part>, Vec<Part>) =
            device.parts(self.cx)?.into_iter().partition(|it| !matches!(it, Part::Chardev(_)));
        for part in first.iter().chain(&rest) {
            self.line.part(part);
        }
        Ok(())
    }

    fn each<'d, D: QemuDevice + 'd>(&mut self, list: impl IntoIterator<Item = &'d D>) -> Result<()> {
        for device in list {
            for part in device.parts(self.cx)? {
                match (part, &self.cx.domain.qemu.overrides) {
                    (Part::Device(props), Some(overrides)) => {
                        let changed = props.changed(&overrides::of(overrides, props.id())?)?;
                        self.line.part(&Part::Device(changed));
                    }
                    (part, _) => self.line.part(&part),
                }
            }
        }
        Ok(())
    }
}

/// The helper that grants reservations to all disks that leave them to the daemon.
fn reservations(domain: &Domain, cx: &DeviceCx<'_>, line: &mut CommandLine) -> Result<()> {
    let asked = |it: &Disk| {
        let source = it.source.as_ref().and_then(|it| it.reservations.as_ref());
        source.is_some_and(|it| it.managed.is_on())
    };
    if domain.devices.disks.iter().any(asked) {
        let id = disk::storage::MANAGED_RESERVATIONS;
        let path = cx.home.join(format!("{id}.sock")).to_string_lossy().into_owned();
        line.part(&disk::storage::reservations_by(id, path)?);
    }
    Ok(())
}

/// Most devices, in the reference's order of kinds. Those of a few kinds come after the sandbox.
fn write_devices(domain: &Domain, cx: &mut DeviceCx<'_>, line: &mut CommandLine) -> Result<()> {
    let devices = &domain.devices;
    let mut to = Devices { cx, line };
    to.each(&devices.iommus)?;
    to.each(machine::controllers_in_order(&devices.controllers))?;
    to.each(&devices.memories)?;
    to.each(&devices.hubs)?;
    // A reader may be plugged into a hub.
    to.each(devices.controllers.iter().filter(|it| it.kind == ControllerKind::Ccid))?;
    for part in disk::floppies(&devices.disks, to.cx)? {
        to.line.part(&part);
    }
    to.each(&devices.disks)?;
    to.each(&devices.filesystems)?;
    to.each(&devices.interfaces)?;
    to.each(&devices.smartcards)?;
    to.each(&devices.serials)?;
    to.each(&devices.parallels)?;
    to.each(&devices.channels)?;
    to.each(&devices.consoles)?;
    to.each(&devices.tpms)?;
    to.each(&devices.inputs)?;
    to.each(&devices.audios)?;
    to.each(&devices.graphics)?;
    to.each(&devices.videos)?;
    to.each(&devices.sounds)?;
    to.each(&devices.watchdogs)?;
    if let Some(watchdog) = devices.watchdogs.first() {
        let action = match watchdog.action {
            // The daemon takes the dump; QEMU only stops.
            WatchdogAction::Dump => "pause",
            other => other.as_str(),
        };
        to.line.option("-watchdog-action", action);
    }
    to.each(&devices.redirdevs)?;
    to.each(&devices.hostdevs)?;
    to.each(&devices.memballoons)?;
    to.each(&devices.rngs)
}
