//! `cargo xtask demo`: from a machine with Rust and nothing else to a guest's shell prompt, shown step by step.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::build::{self, Profile};
use crate::command::{program, run};
use crate::console::Console;
use crate::guest;
use crate::setup::{self, Need};
use crate::stack::Stack;

const NAME: &str = "demo";

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Shows it. With `once` it ends after the proof; else it waits for Ctrl-C. Either way it cleans up.
pub fn show(once: bool) -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("cannot catch Ctrl-C")?;
    step("What the machine needs");
    setup::install(Need::Demo)?;
    let guest = guest::ready()?;
    step("Building the daemons");
    build::daemons(Profile::Debug)?;

    let dir = tempfile::Builder::new().prefix("virtbus-demo-").tempdir()?;
    step(&format!("Starting a bus, virtqemud and virtproxyd below {}", dir.path().display()));
    let stack = Stack::start(dir.path(), Profile::Debug)?;
    let shown = boot(&stack, &guest).and_then(|()| look(&stack));
    if shown.is_ok() && !once {
        how_to_go_on(&stack);
        while !INTERRUPTED.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    step("Cleaning up");
    let stopped = stack.stop();
    shown.and(stopped)?;
    println!("The demo is done.");
    Ok(())
}

fn boot(stack: &Stack, guest: &guest::Guest) -> Result<()> {
    let guest = guest.copy_to(&stack.root().join("guest"))?;
    let disk = stack.root().join("guest/disk.qcow2");
    run(program("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&disk).arg("64M"))?;
    let xml = stack.root().join("guest/demo.xml");
    std::fs::write(&xml, domain(&guest, &disk))?;
    step("Defining and starting a guest");
    virsh(stack, &["define", &xml.display().to_string()])?;
    virsh(stack, &["start", NAME])?;

    step("Its console");
    let begin = Instant::now();
    let mut console = Console::open(stack, &stack.uri("libvirt-sock"), NAME, "--force")?;
    console.echo();
    console.prompt(Duration::from_secs(120))?;
    not_interrupted()?;
    let told = console.command("uname -sr; grep -c . /proc/partitions", Duration::from_secs(20))?;
    ensure!(told.contains("Linux"), "the guest answered {told:?}");
    println!("\n\n(the guest answered {:.1} s after its start)", begin.elapsed().as_secs_f32());
    Ok(())
}

fn look(stack: &Stack) -> Result<()> {
    step("What virsh sees, through the proxy");
    virsh(stack, &["list", "--all"])?;
    virsh(stack, &["dominfo", NAME])?;
    step("What D-Bus sees");
    let args = ["--system", "tree", "org.libvirt.virtqemud"];
    println!("$ busctl {}", args.join(" "));
    // It complains about signals whose arguments have no direction, which D-Bus says they need not have.
    run(stack.client("busctl").args(args).stderr(std::process::Stdio::null()))
}

fn how_to_go_on(stack: &Stack) {
    println!(
        "\nIt runs until you press Ctrl-C here. In another terminal:\n\n\
         \x20   . {root}/env\n\
         \x20   virsh list\n\
         \x20   virsh console {NAME}          (Ctrl-] leaves it)\n\
         \x20   virsh shutdown {NAME}\n\
         \x20   busctl --system introspect org.libvirt.virtqemud /org/libvirt/QEMU\n",
        root = stack.root().display()
    );
}

fn virsh(stack: &Stack, args: &[&str]) -> Result<()> {
    shown(stack, "virsh", args)
}

fn shown(stack: &Stack, name: &str, args: &[&str]) -> Result<()> {
    not_interrupted()?;
    println!("$ {name} {}", args.join(" "));
    run(stack.client(name).args(args))
}

fn not_interrupted() -> Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    Ok(())
}

fn step(what: &str) {
    println!("\n== {what}");
}

fn domain(guest: &guest::Guest, disk: &Path) -> String {
    format!(
        "<domain type='qemu'>
  <name>{NAME}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{}</kernel>
    <initrd>{}</initrd>
    <cmdline>{}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'><model type='virtio'/></interface>
    <serial type='pty'/>
    <console type='pty'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
",
        guest.kernel.display(),
        guest.initrd.display(),
        guest::CMDLINE,
        disk.display()
    )
}
