//! Character devices: the ports that a guest sees, and what they lead to on the host.

use crate::row::{Row, Step, check, row};

/// A second serial port, and what leads from it.
macro_rules! second_port {
    ($name:literal, $serial:literal) => {
        row($name, $serial, &["tty ttyS1 uart=16550A port=2F8 irq=3"])
    };
}

/// The guest says a word on its second serial port.
const SPEAKS: Step = Step::Guest("echo spoken >/dev/ttyS1; echo done-$?", "done-0");
const HEARD: Step = Step::Host("cat {dir}/heard", "spoken");

const ROWS: &[Row] = &[
    second_port!(
        "serial-file",
        "<serial type='file'><source path='{dir}/heard' append='on'/><target type='isa-serial' port='1'>\
         <model name='isa-serial'/></target></serial>"
    )
    .then(&[SPEAKS, HEARD]),
    second_port!("serial-null", "<serial type='null'><target port='1'/></serial>").then(&[SPEAKS]),
    second_port!("serial-vc", "<serial type='vc'><target port='1'/></serial>").then(&[SPEAKS]),
    second_port!("serial-pty", "<serial type='pty'><target port='1'/></serial>")
        .then(&[Step::Virsh("ttyconsole serial-pty", "/dev/pts/"), SPEAKS]),
    second_port!("serial-pipe", "<serial type='pipe'><source path='{pipe}'/><target port='1'/></serial>")
        .then(&[Step::Host("(timeout 20 head -n 1 {pipe}.out >{dir}/heard 2>/dev/null &); sleep 0.5", ""), SPEAKS, HEARD]),
    second_port!(
        "serial-unix-client",
        "<serial type='unix'><source mode='connect' path='{listener}'/><target port='1'/></serial>"
    )
    .then(&[SPEAKS, HEARD]),
    second_port!(
        "serial-unix-server",
        "<serial type='unix'><source mode='bind' path='{dir}/serial.sock'/><target port='1'/></serial>"
    )
    .then(&[
        Step::Host("(timeout 20 socat -u UNIX:{dir}/serial.sock CREATE:{dir}/heard >/dev/null 2>&1 &); sleep 0.5", ""),
        SPEAKS,
        HEARD,
    ]),
    second_port!(
        "serial-tcp-client",
        "<serial type='tcp'><source mode='connect' host='127.0.0.1' service='{tcplistener}'/><protocol type='raw'/>\
         <target port='1'/></serial>"
    )
    .then(&[SPEAKS, HEARD]),
    second_port!(
        "serial-tcp-server",
        "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='20011'/><protocol type='telnet'/>\
         <target port='1'/></serial>"
    )
    .then(&[
        Step::Host("(timeout 20 socat -u TCP:127.0.0.1:20011 CREATE:{dir}/heard >/dev/null 2>&1 &); sleep 0.5", ""),
        SPEAKS,
        HEARD,
    ]),
    second_port!(
        "serial-udp",
        "<serial type='udp'><source mode='connect' host='127.0.0.1' service='{udplistener}'/><target port='1'/></serial>"
    )
    .then(&[SPEAKS, HEARD]),
    second_port!(
        "serial-log",
        "<serial type='null'><log file='{dir}/heard' append='off'/><target port='1'/></serial>"
    )
    .then(&[SPEAKS, HEARD]),
    second_port!("serial-spiceport", "<serial type='spiceport'><source channel='org.test.port'/><target port='1'/></serial>")
        .refused("spice"),
    row(
        "serial-pci",
        "<serial type='file'><source path='{dir}/heard'/><target type='pci-serial' port='0'/></serial>",
        &["pci id=1B36:0002 driver=serial", "tty ttyS1 uart=16550A"],
    )
    .then(&[SPEAKS, HEARD]),
    row(
        "serial-usb",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <serial type='file'><source path='{dir}/heard'/><target type='usb-serial' port='0'/></serial>",
        &["usb id=0403:6001 driver=ftdi_sio", "tty ttyUSB0"],
    )
    .then(&[Step::Guest("echo spoken >/dev/ttyUSB0; echo done-$?", "done-0"), HEARD]),
    row(
        "serial-debugcon",
        "<serial type='file'><source path='{dir}/heard'/><target type='isa-debug' port='0'/><address type='isa' iobase='0x402'/></serial>",
        &["tty ttyS0"],
    )
    .then(&[Step::Host("cat {dir}/heard", "SeaBIOS")]),
    row(
        "parallel-file",
        "<parallel type='file'><source path='{dir}/heard'/><target port='0'/></parallel>",
        &["acpi device=PNP0400:00"],
    )
    .then(&[Step::Guest("modprobe -a parport_pc lp; echo spoken >/dev/lp0; echo done-$?", "done-0"), HEARD]),
    row(
        "console-virtio",
        "<console type='file'><source path='{dir}/heard'/><target type='virtio' port='1'/></console>",
        &["tty hvc0", "virtio driver=virtio_console"],
    )
    .then(&[Step::Guest("echo spoken >/dev/hvc0; echo done-$?", "done-0"), HEARD]),
    row(
        "channel-unix",
        "<channel type='unix'><source mode='bind' path='{dir}/channel.sock'/><target type='virtio' name='org.test.0'/></channel>",
        &["port vport0p1 org.test.0"],
    )
    .then(&[
        Step::Host("(timeout 20 socat -u UNIX:{dir}/channel.sock CREATE:{dir}/heard >/dev/null 2>&1 &); sleep 0.5", ""),
        Step::Guest("echo spoken >/dev/vport0p1; echo done-$?", "done-0"),
        HEARD,
    ]),
    row(
        "channel-guest-agent",
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        &["port vport0p1 org.qemu.guest_agent.0"],
    )
    .then(&[
        Step::Virsh("dumpxml channel-guest-agent --xpath //channel/target/@state", "disconnected"),
        Step::Guest("exec 3<>/dev/vport0p1; echo open", "open"),
        Step::Virsh("dumpxml channel-guest-agent --xpath //channel/target/@state", "=\"connected\""),
    ]),
    row(
        "channel-file",
        "<channel type='file'><source path='{dir}/heard'/><target type='virtio' name='org.test.1'/></channel>",
        &["port vport0p1 org.test.1"],
    )
    .then(&[Step::Guest("echo spoken >/dev/vport0p1; echo done-$?", "done-0"), HEARD]),
    row(
        "channel-pty",
        "<channel type='pty'><target type='virtio' name='org.test.2'/></channel>",
        &["port vport0p1 org.test.2"],
    ),
    row(
        "channel-spicevmc",
        "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
        &[],
    )
    .refused("spicevmc"),
    row(
        "channel-vdagent",
        "<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/><mouse mode='client'/></source>\
         <target type='virtio' name='com.redhat.spice.0'/></channel>",
        &["port vport0p1 com.redhat.spice.0"],
    ),
    row(
        "channel-guestfwd",
        "<channel type='unix'><source mode='connect' path='{listener}'/><target type='guestfwd' address='10.0.2.1' port='4600'/>\
         </channel><interface type='user'><mac address='52:54:00:00:00:04'/><model type='virtio'/></interface>",
        &["net ip=10.0.2.15"],
    )
    .then(&[Step::Monitor("info chardev", "charchannel0")]),
    row(
        "redirdev-tcp",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <redirdev bus='usb' type='tcp'><source mode='connect' host='127.0.0.1' service='{tcplistener}'/><protocol type='raw'/>\
         </redirdev><redirfilter><usbdev class='0x08' allow='no'/><usbdev allow='yes'/></redirfilter>",
        &["pci id=1B36:000D"],
    )
    .then(&[Step::Monitor("info qtree", "dev: usb-redir")]),
    row(
        "redirdev-unix",
        "<controller type='usb' index='0' model='nec-xhci'/>\
         <redirdev bus='usb' type='unix'><source mode='bind' path='{dir}/redir.sock'/></redirdev>",
        &["pci id=1033:0194"],
    )
    .then(&[Step::Host("(sleep 1 | socat - UNIX:{dir}/redir.sock) | strings", "qemu usb-redir guest")]),
    row(
        "smartcard-passthrough",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <smartcard mode='passthrough' type='unix'><source mode='bind' path='{dir}/card.sock'/></smartcard>",
        &["usb id=08e6:4433"],
    )
    .then(&[Step::Monitor("info qtree", "dev: ccid-card-passthru")]),
    // A database of certificates is made by tools that are not installed here; QEMU is asked for the card.
    row(
        "smartcard-host-certificates",
        "<controller type='usb' index='0' model='qemu-xhci'/>\
         <smartcard mode='host-certificates'><certificate>one</certificate><certificate>two</certificate>\
         <certificate>three</certificate><database>{dir}/none</database></smartcard>",
        &[],
    )
    .refused("ccid-card-emulated: failed to initialize vcard"),
];

#[test]
fn channels() {
    check(ROWS);
}
