//! The units under a real systemd, with the bus and its policy as installed.

use virtbus_tests::host::SOON;
use virtbus_tests::machine::Machine;
use xtask::command::wait_for;

use super::EMPTY;

/// The sockets of the two that a client of guests needs.
const SOCKETS: [&str; 5] =
    ["virtqemud.socket", "virtqemud-ro.socket", "virtqemud-admin.socket", "virtproxyd.socket", "virtproxyd-ro.socket"];
const QEMU: &str = "org.libvirt.virtqemud";
const DIRECT: [&str; 3] = ["virsh", "-c", "qemu:///system"];

fn virsh(machine: &Machine, args: &[&str]) -> String {
    let result = machine.run(&[&DIRECT, args].concat());
    result.unwrap_or_else(|why| panic!("virsh {args:?}: {why}\n{}", machine.journal("virtqemud")))
}

fn main_pid(machine: &Machine) -> String {
    machine.run(&["systemctl", "show", "-P", "MainPID", "virtqemud.service"]).unwrap()
}

fn guests(machine: &Machine) -> usize {
    machine.run(&["pgrep", "-c", "qemu-system"]).map_or(0, |it| it.parse().unwrap())
}

fn becomes(machine: &Machine, unit: &str, state: &str) {
    let there = wait_for(SOON, || machine.is(unit, state).then_some(()));
    assert!(there.is_some(), "{unit} does not become {state}\n{}", machine.journal(unit));
}

#[test]
fn sockets_wake_the_daemons_and_guests_outlive_them() {
    let mut machine = Machine::boot();
    // As an administrator does: enabling a service brings its sockets.
    machine.run(&["systemctl", "enable", "virtqemud.service", "virtproxyd.service"]).unwrap();
    machine.run(&[&["systemctl", "start"][..], &SOCKETS].concat()).unwrap();
    for socket in SOCKETS {
        assert!(machine.is(socket, "active"), "{socket}: {}", machine.journal(socket));
    }
    for service in ["virtqemud.service", "virtproxyd.service"] {
        assert!(machine.is(service, "inactive"), "{service}");
    }
    // The first client wakes both: virtproxyd by its socket, virtqemud by virtproxyd.
    assert_eq!(machine.run(&["virsh", "uri"]).unwrap(), "qemu:///system");
    machine.run(&["virsh", "list"]).unwrap();
    becomes(&machine, "virtqemud.service", "active");
    becomes(&machine, "virtproxyd.service", "active");
    let told = machine.run(&["virt-admin", "-c", "virtqemud:///system", "srv-list"]).unwrap();
    assert!(told.contains("virtqemud"), "{told}");

    machine.write("/vm.xml", EMPTY);
    virsh(&machine, &["define", "/vm.xml"]);
    virsh(&machine, &["start", "vm"]);
    assert_eq!(machine.run_as_user(&["virsh", "-r", "-c", "qemu:///system", "domstate", "vm"]).unwrap(), "running");
    machine.run_as_user(&["virsh", "-c", "qemu:///system", "list"]).unwrap_err();

    // A new configuration leaves the process; a restart and a stop leave the guest.
    let before = main_pid(&machine);
    machine.run(&["systemctl", "reload", "virtqemud.service"]).unwrap();
    assert_eq!((main_pid(&machine), virsh(&machine, &["domstate", "vm"])), (before.clone(), "running".to_owned()));
    machine.run(&["systemctl", "restart", "virtqemud.service"]).unwrap();
    assert_eq!(virsh(&machine, &["domstate", "vm"]), "running");
    assert_ne!(main_pid(&machine), before);
    machine.run(&["systemctl", "stop", "virtqemud.service"]).unwrap();
    assert!(machine.is("virtqemud.service", "inactive") && guests(&machine) == 1);
    assert_eq!(virsh(&machine, &["domstate", "vm"]), "running");
    // One that crashes is started anew.
    machine.run(&["systemctl", "kill", "--kill-whom=main", "-s", "KILL", "virtqemud.service"]).unwrap();
    assert_eq!(virsh(&machine, &["domstate", "vm"]), "running");
    becomes(&machine, "virtqemud.service", "active");
    virsh(&machine, &["autostart", "vm"]);

    machine.reboot();
    let boots = wait_for(SOON, || (virsh(&machine, &["domstate", "vm"]) == "running").then_some(()));
    assert!(boots.is_some(), "{}", machine.journal("virtqemud"));
}

#[test]
fn the_bus_knows_their_names_and_wakes_them() {
    let machine = Machine::boot();
    machine.run(&[&["systemctl", "start"][..], &SOCKETS].concat()).unwrap();
    machine.write("/etc/default/virtqemud", "VIRTQEMUD_ARGS=\"--timeout 1\"\n");
    let call = |name: &str, who: fn(&Machine, &[&str]) -> Result<String, String>| {
        let path = "/org/libvirt/QEMU";
        who(&machine, &["busctl", "call", name, path, "org.libvirt.Connect", "ListDomains", "u", "0"])
    };
    let running = |name: &str| machine.run(&["busctl", "status", name]).is_ok_and(|it| it.contains("PID="));
    assert!(!running(QEMU) && machine.is("virtqemud.service", "inactive"));
    // Anybody's call wakes the daemon.
    assert_eq!(call(QEMU, Machine::run_as_user).unwrap(), "ao 0");
    assert!(running(QEMU) && machine.is("virtqemud.service", "active"));
    // Not needed any more it leaves, and with it its name, and the sockets stay.
    becomes(&machine, "virtqemud.service", "inactive");
    assert!(!running(QEMU) && machine.is("virtqemud.socket", "active"));

    // The old name brings virtproxyd, and that one virtqemud.
    assert_eq!(call("org.libvirt", Machine::run).unwrap(), "ao 0");
    assert!(machine.is("virtproxyd.service", "active"));
    for name in [QEMU, "org.libvirt"] {
        let bus = "org.freedesktop.DBus";
        let take = ["busctl", "call", bus, "/org/freedesktop/DBus", bus, "RequestName", "su", name, "7"];
        let refused = machine.run_as_user(&take).unwrap_err();
        assert!(refused.contains("denied"), "{refused}");
    }
    // A guest keeps it.
    machine.write("/vm.xml", EMPTY);
    virsh(&machine, &["create", "/vm.xml"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(machine.is("virtqemud.service", "active"));
    assert!(call(QEMU, Machine::run_as_user).unwrap().starts_with("ao 1 "));
}

#[test]
fn polkit_lets_in_whom_its_rules_let_in() {
    let machine = Machine::boot();
    let sockets = ["virtstoraged.socket", "virtstoraged-ro.socket", "virtnetworkd.socket", "virtnetworkd-ro.socket"];
    machine.run(&[&["systemctl", "start"][..], &SOCKETS, &sockets].concat()).unwrap();
    let legacy = "qemu:///system?mode=legacy";
    let virsh_of_user = |args: &[&str]| machine.run_as_user(&[&["virsh"], args].concat());
    // As shipped: everybody may look, and whoever wants more needs a password for which there is nobody to ask.
    for uri in ["qemu:///system", legacy, "storage:///system", "network:///system"] {
        virsh_of_user(&["-r", "-c", uri, "uri"]).unwrap();
        let refused = virsh_of_user(&["-c", uri, "uri"]).unwrap_err();
        let said = "no polkit agent available to authenticate action 'org.libvirt.unix.manage'";
        assert!(refused.contains(said), "{uri}: {refused}");
    }
    let define = ["<secret><uuid>21111111-2222-3333-4444-555555555555</uuid></secret>", "0"];
    let call = |name: &str, interactive: &str| {
        let connect = ["/org/libvirt/QEMU", "org.libvirt.Connect", "SecretDefineXML", "su"];
        let allow = format!("--allow-interactive-authorization={interactive}");
        machine.run_as_user(&[&["busctl", &allow, "call", name], &connect[..], &define].concat())
    };
    for name in ["org.libvirt.virtstoraged", "org.libvirt"] {
        let refused = call(name, "no").unwrap_err();
        assert!(refused.contains("no polkit agent available"), "{name}: {refused}");
    }

    // A rule lets the user in, through every door.
    let rule = |action: &str, result: &str| {
        format!(
            "polkit.addRule(function (action, subject) {{\n  if (action.id === \"org.libvirt.unix.{action}\" && subject.user \
             === \"nobody\") return polkit.Result.{result};\n}});\n"
        )
    };
    let allow = |rules: &str| {
        machine.write("/etc/polkit-1/rules.d/10-test.rules", rules);
        machine.run(&["systemctl", "restart", "polkit.service"]).unwrap();
    };
    allow(&rule("manage", "YES"));
    machine.write("/vm.xml", EMPTY);
    machine.run(&["chmod", "644", "/vm.xml"]).unwrap();
    for uri in ["qemu:///system", legacy] {
        virsh_of_user(&["-c", uri, "define", "/vm.xml"]).unwrap();
        virsh_of_user(&["-c", uri, "undefine", "vm"]).unwrap();
    }
    for name in ["org.libvirt.virtstoraged", "org.libvirt"] {
        assert!(call(name, "no").unwrap().starts_with("o \"/org/libvirt/QEMU/secret/_"), "{name}");
    }

    // A polkit that is stuck holds up those who need it, and nobody else.
    machine.run(&["systemctl", "kill", "--kill-whom=main", "-s", "STOP", "polkit.service"]).unwrap();
    let stuck = machine.run_as_user(&["timeout", "3", "virsh", "-c", "qemu:///system", "uri"]);
    assert!(stuck.is_err(), "{stuck:?}");
    assert_eq!(virsh(&machine, &["uri"]), "qemu:///system");
    let list = ["busctl", "call", QEMU, "/org/libvirt/QEMU", "org.libvirt.Connect", "ListDomains", "u", "0"];
    assert_eq!(machine.run_as_user(&list).unwrap(), "ao 0");
    machine.run(&["systemctl", "kill", "--kill-whom=main", "-s", "CONT", "polkit.service"]).unwrap();

    // Another rule shuts even readers out, of the sockets.
    allow(&(rule("manage", "NO") + &rule("monitor", "NO")));
    for args in
        [&["-c", "qemu:///system", "uri"][..], &["-r", "-c", "qemu:///system", "uri"], &["-r", "-c", legacy, "uri"]]
    {
        let refused = virsh_of_user(args).unwrap_err();
        assert!(refused.contains("authentication failed: access denied by policy"), "{args:?}: {refused}");
    }
    let refused = call("org.libvirt.virtstoraged", "yes").unwrap_err();
    assert!(refused.contains("access denied by policy"), "{refused}");
}
