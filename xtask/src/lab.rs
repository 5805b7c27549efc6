//! The lab: this machine's programs and the built daemons in a virtual machine whose kernel has all that a host of guests
//! needs: the device mapper, an NFS server and client, rates, VLANs on bridges. Needs no KVM, no network and nothing
//! installed beyond what [`crate::setup`] installs.
//!
//! ```text
//! /usr   this machine's, read-only below a layer in memory     /host/programs   the daemons
//! /dev/vd[a-e]   empty disks of 256 MiB                        /host/work       the workspace
//! ```
//!
//! All of it is in memory and ends with the process that booted it. It runs scripts and says what they printed; what they
//! do is the caller's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::{self, Profile};
use crate::command::{program, wait_for, workspace};
use crate::setup::{self, Need};

mod base64;
mod image;

/// How long it may take to boot; alone on two cores it takes a tenth of that.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many empty disks it has, and their size.
const DISKS: usize = 5;
const DISK_SIZE: u64 = 256 << 20;

/// Its keeper: QEMU ends when the keeper's standard input does, which is when the one who booted it does; and the other
/// way round.
const KEEPER: &str = r#"exec 3<&0; "$@" </dev/null 3<&- & cat <&3 & wait -n; kill -9 %1 %2 2>/dev/null; wait"#;

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    keeper: Child,
    life: Option<ChildStdin>,
    channel: BufReader<UnixStream>,
    dir: tempfile::TempDir,
}

/// What a script did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit status.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it printed as errors.
    pub err: String,
}

impl Lab {
    /// Sets this machine up, builds what is missing, and boots.
    pub fn boot() -> Result<Self> {
        setup::install(Need::Everything)?;
        build::daemons(Profile::Debug)?;
        let image = image::ready()?;
        let dir = tempfile::tempdir()?;
        let mut qemu = vec!["qemu-system-x86_64".to_owned()];
        let mut add = |words: &[&str]| qemu.extend(words.iter().map(|it| (*it).to_owned()));
        add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35"]);
        // What functions are handed to guests by.
        add(&["-device", "intel-iommu"]);
        add(&["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048"]);
        add(&["-kernel", &image.kernel.display().to_string(), "-initrd", &image.initrd.display().to_string()]);
        add(&["-append", "console=ttyS0 quiet panic=-1 intel_iommu=on iommu=pt"]);
        add(&["-serial", &format!("file:{}", dir.path().join("console").display())]);
        let socket = dir.path().join("agent");
        add(&["-chardev", &format!("socket,id=agent,path={},server=on,wait=off", socket.display())]);
        add(&["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"]);
        add(&["-device", "virtio-rng-pci", "-device", "e1000e,id=spare"]);
        add(&["-device", "pcie-root-port,id=rooted,chassis=1", "-device", "igb,bus=rooted,mac=52:54:00:00:03:00"]);
        add(&["-device", "pcie-pci-bridge,id=shared"]);
        add(&["-device", "e1000e,bus=shared", "-device", "e1000e,bus=shared"]);
        let shares = [
            ("usr", "/usr".into()),
            ("etc", "/etc".into()),
            ("programs", Profile::Debug.bin_dir()),
            ("packages", image.packages),
            ("work", workspace()),
        ];
        for (tag, path) in shares {
            let path = path.canonicalize().with_context(|| path.display().to_string())?;
            let local =
                format!("local,id={tag},path={},security_model=none,readonly=on,multidevs=remap", path.display());
            add(&["-fsdev", &local, "-device", &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}")]);
        }
        for number in 0..DISKS {
            let disk = dir.path().join(format!("disk{number}"));
            std::fs::File::create(&disk)?.set_len(DISK_SIZE)?;
            let drive = format!("if=none,id=disk{number},format=raw,cache=unsafe,file={}", disk.display());
            add(&["-drive", &drive, "-device", &format!("virtio-blk-pci,drive=disk{number},serial=disk{number}")]);
        }
        let log = std::fs::File::create(dir.path().join("qemu"))?;
        let mut keeper = program("bash");
        keeper.args(["-c", KEEPER, "keeper"]).args(qemu).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut keeper = keeper.spawn().context("bash")?;
        let life = keeper.stdin.take();
        let channel = wait_for(PATIENCE, || match UnixStream::connect(&socket) {
            Ok(it) => Some(Ok(it)),
            Err(_) => keeper.try_wait().ok().flatten().map(Err),
        });
        let Some(Ok(channel)) = channel else {
            bail!("QEMU does not run: {}", std::fs::read_to_string(dir.path().join("qemu"))?)
        };
        channel.set_read_timeout(Some(PATIENCE))?;
        let mut lab = Self { keeper, life, channel: BufReader::new(channel), dir };
        let ready = lab.line()?;
        if ready != "ready" {
            bail!("the lab says {ready:?} instead of being ready: {}", lab.console());
        }
        Ok(lab)
    }

    /// Runs a script by bash, in `/`, by root. One that takes longer than `deadline` is an error, and so is the lab then.
    pub fn run(&mut self, script: &str, deadline: Duration) -> Result<Said> {
        let stream = self.channel.get_mut();
        stream.set_read_timeout(Some(deadline))?;
        writeln!(stream, "{}", base64::encode(script.as_bytes()))?;
        let line = self.line().with_context(|| format!("in the lab: {script}"))?;
        let mut words = line.split(' ');
        let code = words.next().and_then(|it| it.parse().ok()).with_context(|| format!("the lab says {line:?}"))?;
        let mut text = || -> Result<String> {
            let word = words.next().and_then(|it| it.strip_prefix('x')).context("a word of the lab's answer")?;
            Ok(String::from_utf8_lossy(&base64::decode(word).context("base64")?).into_owned())
        };
        Ok(Said { code, out: text()?, err: text()? })
    }

    /// What its kernel and first program printed.
    #[must_use]
    pub fn console(&self) -> String {
        std::fs::read(self.dir.path().join("console"))
            .map(|it| String::from_utf8_lossy(&it).into_owned())
            .unwrap_or_default()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.channel.read_line(&mut line) {
            Ok(0) => bail!("the lab has ended: {}", self.console()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(why) => Err(why).with_context(|| format!("the lab does not answer; its console: {}", self.console())),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.life = None;
        let _ = self.keeper.wait();
    }
}

/// `cargo xtask lab`: boots one and runs the scripts in it; without any, the lines of standard input, one after another.
pub fn show(scripts: &[std::path::PathBuf]) -> Result<()> {
    let begun = std::time::Instant::now();
    let mut lab = Lab::boot()?;
    eprintln!("lab: ready after {:.1} s", begun.elapsed().as_secs_f64());
    let mut run = |script: &str| -> Result<()> {
        let said = lab.run(script, Duration::from_secs(600))?;
        print!("{}", said.out);
        eprint!("{}", said.err);
        if said.code != 0 {
            eprintln!("lab: exit status {}", said.code);
        }
        Ok(())
    };
    for path in scripts {
        run(&std::fs::read_to_string(path).with_context(|| path.display().to_string())?)?;
    }
    if scripts.is_empty() {
        for line in std::io::stdin().lines() {
            run(&line?)?;
        }
    }
    Ok(())
}
