//! `cargo xtask demo`: from a machine with Rust and nothing else to guests on a volume and a network, shown step by step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::build::{self, Profile};
use crate::command::run;
use crate::console::Console;
use crate::guest;
use crate::setup::{self, Need};
use crate::stack::{Network, Stack};

mod documents;

const NAME: &str = "demo";
const OTHER: &str = "other";
/// Guests on this network reach the host and, through it, the world.
const NAT: &str = "demo-nat";
/// Guests on this network reach each other.
const ISOLATED: &str = "demo-isolated";
/// The host's address on the NAT network.
const ROUTER: &str = "192.168.150.1";
const POOL: &str = "demo-pool";
/// How long an emulated guest may take to boot.
const BOOT: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(30);

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
    step(&format!("Starting a bus and the daemons below {}", dir.path().display()));
    let stack = Stack::start(dir.path(), Profile::Debug, Network::Own)?;
    let shown = all(&stack, &guest);
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

fn all(stack: &Stack, guest: &guest::Guest) -> Result<()> {
    let guest = guest.copy_to(&stack.root().join("guest"))?;
    volumes(stack)?;
    if !nix::unistd::geteuid().is_root() {
        // Bridges are root's to make.
        step("Networks are left out: only root can make a bridge");
        let mut console = boot(stack, &guest, NAME, None)?;
        alive(&mut console)?;
        return look(stack);
    }
    networks(stack)?;
    let mut first = boot(stack, &guest, NAME, Some(NAT))?;
    alive(&mut first)?;
    let address = connected(stack, &mut first)?;
    look(stack)?;
    let mut second = boot(stack, &guest, OTHER, Some(NAT))?;
    step("Two guests reach each other");
    addressed(&mut second)?;
    reaches(&mut second, &address, true)?;
    drop(second);
    virsh(stack, &["destroy", OTHER])?;
    step("An isolated network reaches nothing outside");
    virsh(stack, &["undefine", OTHER])?;
    let mut alone = boot(stack, &guest, OTHER, Some(ISOLATED))?;
    addressed(&mut alone)?;
    reaches(&mut alone, ROUTER, false)?;
    reaches(&mut alone, &address, false)
}

/// A pool, an image, and a volume over it.
fn volumes(stack: &Stack) -> Result<()> {
    step("A pool with an image, and a volume on top of the image");
    let target = stack.root().join("var/lib/libvirt/images");
    virsh(stack, &["pool-define-as", POOL, "dir", "--target", &target.display().to_string()])?;
    virsh(stack, &["pool-build", POOL])?;
    virsh(stack, &["pool-start", POOL])?;
    virsh(stack, &["vol-create-as", POOL, "base.qcow2", "64M", "--format", "qcow2"])?;
    for name in [NAME, OTHER] {
        let volume = format!("{name}.qcow2");
        let backing = ["--backing-vol", "base.qcow2", "--backing-vol-format", "qcow2"];
        let mut args = vec!["vol-create-as", POOL, &volume, "64M", "--format", "qcow2"];
        args.extend(backing);
        virsh(stack, &args)?;
    }
    virsh(stack, &["vol-list", POOL, "--details"])
}

fn networks(stack: &Stack) -> Result<()> {
    step("A network with NAT, and an isolated one");
    for (name, xml) in [(NAT, documents::nat(NAT, ROUTER)), (ISOLATED, documents::isolated(ISOLATED))] {
        let file = stack.root().join(format!("{name}.xml"));
        std::fs::write(&file, xml)?;
        virsh(stack, &["net-define", &file.display().to_string()])?;
        virsh(stack, &["net-start", name])?;
    }
    virsh(stack, &["net-list"])
}

fn boot(stack: &Stack, guest: &guest::Guest, name: &str, network: Option<&str>) -> Result<Console> {
    let xml = stack.root().join(format!("guest/{name}.xml"));
    std::fs::write(&xml, documents::domain(name, guest, POOL, network))?;
    step(&format!("Defining and starting guest {name}; its console"));
    virsh(stack, &["define", &xml.display().to_string()])?;
    virsh(stack, &["start", name])?;
    let begin = Instant::now();
    let mut console = Console::open(stack, &stack.uri("libvirt-sock"), name, "--force")?;
    console.echo();
    console.prompt(BOOT)?;
    not_interrupted()?;
    println!("\n\n(the guest answered {:.1} s after its start)", begin.elapsed().as_secs_f32());
    Ok(console)
}

fn alive(console: &mut Console) -> Result<()> {
    let told = console.command("uname -sr; grep -c vda /proc/partitions", ANSWER)?;
    ensure!(told.contains("Linux"), "the guest answered {told:?}");
    Ok(())
}

/// What the guest has got from its network; returns its address.
fn connected(stack: &Stack, console: &mut Console) -> Result<String> {
    step("Its address, the host, and a name");
    let address = addressed(console)?;
    reaches(console, ROUTER, true)?;
    let told = console.command(&format!("nslookup {NAME}"), ANSWER)?;
    ensure!(told.contains(&address), "the guest does not find its own name: {told:?}");
    println!();
    virsh(stack, &["net-dhcp-leases", NAT])?;
    virsh(stack, &["domifaddr", NAME])?;
    let leases = crate::command::output(stack.client("virsh").args(["net-dhcp-leases", NAT]))?;
    let known = crate::command::output(stack.client("virsh").args(["domifaddr", NAME]))?;
    ensure!(leases.contains(&address) && known.contains(&address), "{address} is missing above");
    Ok(address)
}

/// The guest's address, once it has one.
fn addressed(console: &mut Console) -> Result<String> {
    let wait = "until ip -4 -o addr show scope global | grep inet; do sleep 1; done";
    let told = console.command(wait, Duration::from_secs(90))?;
    let mut words = told.split_whitespace().skip_while(|it| *it != "inet").skip(1);
    let address = words.next().and_then(|it| it.split('/').next()).map(str::to_owned);
    address.filter(|it| it.starts_with("192.168.")).context("the guest has got no address")
}

fn reaches(console: &mut Console, address: &str, wanted: bool) -> Result<()> {
    let told = console.command(
        &format!("ping -c 2 -W 3 {address} >/dev/null 2>&1 && echo rea''ched || echo not rea''ched"),
        ANSWER,
    )?;
    let reached = told.contains("reached") && !told.contains("not reached");
    ensure!(reached == wanted, "{address}: the guest says {told:?}");
    println!("\n({address} is {})", if wanted { "reached" } else { "not reached, as it should be" });
    Ok(())
}

fn look(stack: &Stack) -> Result<()> {
    step("What virsh sees, through the proxy");
    virsh(stack, &["list", "--all"])?;
    virsh(stack, &["dominfo", NAME])?;
    step("What D-Bus sees");
    for name in ["org.libvirt.virtqemud", "org.libvirt.virtstoraged", "org.libvirt.virtnetworkd"] {
        let args = ["--system", "tree", name];
        println!("$ busctl {}", args.join(" "));
        // It complains about signals whose arguments have no direction, which D-Bus says they need not have.
        run(stack.client("busctl").args(args).stderr(std::process::Stdio::null()))?;
    }
    Ok(())
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
