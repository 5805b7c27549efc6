//! What a person types on and points with.

use crate::row::{Row, Step, check, row};

/// An input device of QEMU's USB.
macro_rules! usb {
    ($name:literal, $type:literal, $says:literal) => {
        row(
            $name,
            concat!("<controller type='usb' index='0' model='qemu-xhci'/><input type='", $type, "' bus='usb'/>"),
            &["usb id=0627:0001 driver=usbhid", concat!("input QEMU QEMU USB ", $says)],
        )
    };
}

const ROWS: &[Row] = &[
    usb!("input-usb-tablet", "tablet", "Tablet"),
    usb!("input-usb-mouse", "mouse", "Mouse"),
    usb!("input-usb-keyboard", "keyboard", "Keyboard"),
    row("input-ps2", "<input type='mouse' bus='ps2'/><input type='keyboard' bus='ps2'/>", &["input AT Set 2 keyboard", "input Mouse"])
        .on("pc"),
    row(
        "input-ps2-off",
        "<input type='keyboard' bus='virtio'/>",
        &["!input AT Set 2 keyboard", "input QEMU Virtio Keyboard"],
    )
    .domain("<features><acpi/><ps2 state='off'/></features>"),
    row("input-virtio-tablet", "<input type='tablet' bus='virtio'/>", &["input QEMU Virtio Tablet", "virtio driver=virtio_input"]),
    row("input-virtio-mouse", "<input type='mouse' bus='virtio'/>", &["input QEMU Virtio Mouse"]),
    row("input-virtio-keyboard", "<input type='keyboard' bus='virtio'/>", &["input QEMU Virtio Keyboard"]),
    row(
        "input-passthrough-absent",
        "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event99'/></input>",
        &[],
    )
    .refused("event99"),
    row("input-evdev-absent", "<input type='evdev'><source dev='/dev/input/event99' grab='all'/></input>", &[]).refused("event99"),
    row(
        "keys-reach-the-guest",
        "<input type='keyboard' bus='virtio'/>",
        &["input QEMU Virtio Keyboard"],
    )
    .then(&[
        Step::Guest("(timeout 15 head -c 24 /dev/input/by 2>/dev/null; for at in /dev/input/event*; do timeout 15 head -c 24 $at >/tmp/key-${at##*/} & done) >/dev/null 2>&1; echo listens", "listens"),
        Step::Virsh("send-key keys-reach-the-guest KEY_F", ""),
        Step::Guest("find /tmp -name 'key-*' -size +0 | wc -l", "1"),
    ]),
];

#[test]
fn inputs() {
    check(ROWS);
}
