//! The units under a real systemd, with the bus and its policy as installed.

use virtbus_tests::host::SOON;
use virtbus_tests::machine::Machine;
use xtask::command::wait_for;

use super::EMPTY;

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
