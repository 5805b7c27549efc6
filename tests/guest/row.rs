//! A row: one device, one guest. What the document says, what the guest must find, and what else must hold before it stops.
//!
//! Adding a device is adding a row to a table below `rows/`. A table is one test: it starts one stack, gives each of its rows a
//! guest of its own there, goes on past those that fail, and names them all at the end. `VIRTBUS_ROWS=WORD,...` runs the
//! rows whose name contains such a word, and says what the guest of each finds.
//!
//! Text in braces is a fixture (see `fixture.rs`); it may stand in the document, in commands and in what is expected.

#![allow(clippy::print_stderr, reason = "a table says how long each of its rows took")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use virtbus_tests::tree::Element;
use virtbus_tests::world::{Door, World};
use xtask::command::wait_for;
use xtask::console::Console;
use xtask::guest::{CMDLINE, PROMPT};

use super::fixture::Fixtures;
use super::{BOOT, included};

/// What finding a device does not need is left out of the kernel's start: tests of its cryptography, of its timer and clock, and
/// what protects one program from another.
const QUICK: &str = "cryptomgr.notests mitigations=off tsc=reliable no_timer_check";

/// How long finding a device, a command or an end may take on a machine that does much else: USB is slow there.
const SOON: Duration = Duration::from_secs(60);

/// The port with the shell. Its number is given: the reference counts on from a second port that has one.
const USUAL: &str = "<serial type='pty'><target port='0'/></serial><console type='pty'/>";

#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    name: &'static str,
    machine: &'static str,
    /// Elements beside `<os>`; a memory size, a number of processors or features among them replace the usual ones.
    domain: &'static str,
    os: &'static str,
    devices: &'static str,
    sees: &'static [&'static str],
    then: &'static [Step],
    refused: &'static str,
    changes: bool,
    ends: &'static str,
}

/// What is done once the guest has found everything, in order; each is repeated until its answer contains the text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A command typed in the guest.
    Guest(&'static str, &'static str),
    /// A command on the host, in the network of the stack.
    Host(&'static str, &'static str),
    /// A command of QEMU's monitor for people.
    Monitor(&'static str, &'static str),
    /// virsh's arguments.
    Virsh(&'static str, &'static str),
}

/// A guest of type q35 with these devices, which then lists lines that contain all words of one of `sees` each: see
/// `xtask/guest/look`. The first word is what kind of line it is; a `!` before it means that there is no such line.
pub(super) const fn row(name: &'static str, devices: &'static str, sees: &'static [&'static str]) -> Row {
    Row {
        name,
        machine: "q35",
        domain: "",
        os: "",
        devices,
        sees,
        then: &[],
        refused: "",
        changes: false,
        ends: "poweroff -f",
    }
}

impl Row {
    /// Another machine type.
    pub(super) const fn on(self, machine: &'static str) -> Self {
        Self { machine, ..self }
    }

    /// Elements beside the devices.
    pub(super) const fn domain(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }

    /// Elements of `<os>`.
    pub(super) const fn os(self, os: &'static str) -> Self {
        Self { os, ..self }
    }

    /// What is done then.
    pub(super) const fn then(self, then: &'static [Step]) -> Self {
        Self { then, ..self }
    }

    /// It is refused, when defined or when started, by a message that contains this.
    pub(super) const fn refused(self, refused: &'static str) -> Self {
        Self { refused, ..self }
    }

    /// The guest's command that ends it.
    pub(super) const fn ends(self, ends: &'static str) -> Self {
        Self { ends, ..self }
    }

    /// The running guest's document lacks something of the definition's, and that is right.
    pub(super) const fn changed(self) -> Self {
        Self { changes: true, ..self }
    }

    /// What a machine has unless the document says that it has not, and what only takes time when a row is not about it.
    fn absent(&self) -> String {
        let usb = "<controller type='usb' model='none'/>";
        let balloon = "<memballoon model='none'/>";
        let unused = |kind: &str, none: &'static str| if self.devices.contains(kind) { "" } else { none };
        unused("usb", usb).to_owned() + unused("memballoon", balloon)
    }

    fn document(&self, world: &World, fixtures: &mut Fixtures<'_>) -> Result<String, String> {
        // Firmware that is no BIOS unpacks the kernel itself.
        let has_bios = !self.os.contains("firmware=") && !self.os.contains("<loader");
        let kernel = world.files().join(if has_bios { "kernel" } else { "image" });
        let initrd = world.files().join("initrd");
        let mut text = format!("<domain type='qemu'><name>{}</name>", self.name);
        for (element, usual) in [
            ("<memory", "<memory unit='KiB'>196608</memory>"),
            ("<vcpu", "<vcpu>1</vcpu>"),
            ("<features", "<features><acpi/></features>"),
        ] {
            if !self.domain.contains(element) || (element == "<memory" && !self.domain.contains("<memory unit")) {
                text += usual;
            }
        }
        text += &fixtures.fill(self.domain)?;
        let has_firmware = self.os.contains("firmware=");
        let (attributes, elements) = match self.os.split_once(' ') {
            Some((attributes, elements)) if has_firmware => (attributes, elements),
            _ => ("", self.os),
        };
        let _ = write!(
            text,
            "<os {attributes}><type arch='x86_64' machine='{}'>hvm</type>{}<kernel>{}</kernel><initrd>{}</initrd>\
             <cmdline>{CMDLINE} {QUICK}</cmdline></os><devices>{USUAL}{}{}</devices></domain>",
            self.machine,
            fixtures.fill(elements)?,
            kernel.display(),
            initrd.display(),
            self.absent(),
            fixtures.fill(self.devices)?,
        );
        Ok(text)
    }
}

/// Runs the rows of a table, each in its own guest.
#[track_caller]
pub(super) fn check(rows: &[Row]) {
    let words = std::env::var("VIRTBUS_ROWS").unwrap_or_default();
    let is_chosen = |row: &&Row| words.split(',').any(|it| row.name.contains(it));
    let chosen: Vec<_> = rows.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        return;
    }
    let world = World::start();
    let mut failed = Vec::new();
    for (row, door) in chosen.iter().zip([Door::Proxy, Door::Direct].into_iter().cycle()) {
        let begun = Instant::now();
        let result = Guest { world: &world, row, door, verbose: !words.is_empty() }.run();
        let seconds = begun.elapsed().as_secs_f32();
        match result {
            Ok(()) => eprintln!("{seconds:5.1} s  {}", row.name),
            Err(why) => {
                eprintln!("{seconds:5.1} s  {}: FAILED: {why}", row.name);
                failed.push(format!("{}: {why}", row.name));
            }
        }
    }
    let left: Vec<_> = leftovers(&world);
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(failed.is_empty(), "{} of {} rows:\n{}", failed.len(), chosen.len(), failed.join("\n"));
}

/// Files that say that a guest runs.
fn leftovers(world: &World) -> Vec<String> {
    let directory = world.stack.root().join("run/libvirt/qemu");
    let mut left = Vec::new();
    for place in ["", "swtpm", "passt", "virtiofsd", "dbus"] {
        let entries = std::fs::read_dir(directory.join(place)).into_iter().flatten().flatten();
        left.extend(entries.filter(|it| it.path().is_file()).map(|it| it.path().display().to_string()));
    }
    left.retain(|it| it.ends_with(".pid") || it.ends_with(".xml"));
    left
}

struct Guest<'a> {
    world: &'a World,
    row: &'a Row,
    door: Door,
    verbose: bool,
}

impl Guest<'_> {
    fn run(&self) -> Result<(), String> {
        let mut fixtures = Fixtures::new(self.world, self.row.name);
        let document = self.row.document(self.world, &mut fixtures)?;
        self.world.write("row.xml", &document);
        let result = match self.virsh(&["define", "row.xml"]) {
            Ok(_) => self.live(&document, &mut fixtures),
            Err(why) => Err(format!("define: {why}")),
        };
        let _ = self.virsh(&["destroy", self.row.name]);
        let _ = self.virsh(&["undefine", self.row.name, "--nvram"]);
        match (self.row.refused, result) {
            ("", result) => result,
            (expected, Err(why)) if why.contains(expected) => Ok(()),
            (expected, result) => Err(format!("expected to be refused for {expected:?}, but {result:?}")),
        }
    }

    fn live(&self, document: &str, fixtures: &mut Fixtures<'_>) -> Result<(), String> {
        let defined = self.virsh(&["dumpxml", "--inactive", "--security-info", self.row.name])?;
        included::devices(&parse(document)?, &parse(&defined)?)?;
        self.virsh(&["start", self.row.name]).map_err(|why| format!("start: {why}"))?;
        let uri = self.world.stack.uri(self.door.socket());
        let console = Console::open(&self.world.stack, &uri, self.row.name, "--force");
        let mut console = console.map_err(|why| why.to_string())?;
        let live = self.virsh(&["dumpxml", "--security-info", self.row.name])?;
        if !self.row.changes {
            included::document(&parse(&defined)?, &parse(&live)?)?;
        }
        console.expect(PROMPT, BOOT).map_err(|why| why.to_string())?;
        self.looks(&mut console, fixtures)?;
        for step in self.row.then {
            self.step(*step, &mut console, fixtures)?;
        }
        console.send(self.row.ends).map_err(|why| why.to_string())?;
        let mut last = String::new();
        let off = wait_for(SOON, || {
            last = self.virsh(&["domstate", self.row.name, "--reason"]).unwrap_or_else(|why| why);
            (last == "shut off (shutdown)").then_some(())
        });
        off.ok_or_else(|| format!("told to end, it is {last}"))?;
        let afterwards = self.virsh(&["dumpxml", "--inactive", "--security-info", self.row.name])?;
        if afterwards == defined {
            Ok(())
        } else {
            Err(format!("its definition has changed from {defined} to {afterwards}"))
        }
    }

    /// Asks the guest what it finds until everything expected is there: drivers may still be loading.
    fn looks(&self, console: &mut Console, fixtures: &mut Fixtures<'_>) -> Result<(), String> {
        let expected: Vec<_> = self.row.sees.iter().map(|it| fixtures.fill(it)).collect::<Result<_, _>>()?;
        let mut kinds: Vec<_> =
            expected.iter().filter_map(|it| it.trim_start_matches('!').split_whitespace().next()).collect();
        kinds.dedup();
        if kinds.is_empty() {
            return Ok(());
        }
        let command = format!("look {}", kinds.join(" "));
        let end = Instant::now() + SOON;
        loop {
            let told = console.command(&command, SOON).map_err(|why| why.to_string())?;
            let lines: Vec<Vec<_>> = told.lines().map(|it| it.split_whitespace().collect()).collect();
            let holds = |pattern: &&String| {
                let words = pattern.trim_start_matches('!').split_whitespace();
                let found = lines.iter().any(|line| words.clone().all(|word| line.contains(&word)));
                found != pattern.starts_with('!')
            };
            let missing: Vec<_> = expected.iter().filter(|it| !holds(it)).collect();
            if missing.is_empty() {
                if self.verbose {
                    eprintln!("{told}");
                }
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the guest does not find {missing:?}; it tells\n{told}"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn step(&self, step: Step, console: &mut Console, fixtures: &mut Fixtures<'_>) -> Result<(), String> {
        let (Step::Guest(what, expected)
        | Step::Host(what, expected)
        | Step::Monitor(what, expected)
        | Step::Virsh(what, expected)) = step;
        let (what, expected) = (fixtures.fill(what)?, fixtures.fill(expected)?);
        let end = Instant::now() + SOON;
        loop {
            let told = match step {
                Step::Guest(..) => console.command(&what, SOON).map_err(|why| why.to_string())?,
                Step::Host(..) => {
                    let out = self.world.stack.inside("sh").args(["-c", &format!("exec 2>&1; {what}")]).output();
                    String::from_utf8_lossy(&out.map_err(|why| why.to_string())?.stdout).into_owned()
                }
                Step::Monitor(..) => self.virsh(&["qemu-monitor-command", self.row.name, "--hmp", &what])?,
                Step::Virsh(..) => self.virsh(&what.split_whitespace().collect::<Vec<_>>()).unwrap_or_else(|why| why),
            };
            if self.verbose {
                eprintln!("{what}: {told}");
            }
            if told.contains(&expected) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("{what}: no {expected:?} in {told:?}"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn virsh(&self, args: &[&str]) -> Result<String, String> {
        self.world.try_virsh(self.door, args)
    }
}

fn parse(text: &str) -> Result<Element, String> {
    Element::parse(text).map_err(|why| format!("{why}: {text}"))
}
