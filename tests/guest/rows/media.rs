//! Sound and pictures.

use crate::row::{Row, Step, check, row};

/// A video device behind a VNC screen.
macro_rules! video {
    ($name:literal, $model:literal, $sees:expr) => {
        row($name, concat!("<graphics type='vnc' port='-1' autoport='yes'/><video>", $model, "</video>"), $sees)
    };
}

const ROWS: &[Row] = &[
    row(
        "sound-ich6",
        "<sound model='ich6'><codec type='duplex'/></sound><audio id='1' type='none'/>",
        &["pci id=8086:2668 driver=snd_hda_intel", "sound 0 Intel HDA-Intel", "codec Generic"],
    ),
    row(
        "sound-ich9",
        "<sound model='ich9'><codec type='micro'/></sound><audio id='1' type='none'/>",
        &["pci id=8086:293E driver=snd_hda_intel", "sound 0 HDA-Intel"],
    ),
    row(
        "sound-ich7",
        "<sound model='ich7'><codec type='output'/></sound>",
        &["pci id=8086:293E"],
    )
    .refused("connect flags"),
    row("sound-ac97", "<sound model='ac97'/>", &["pci id=8086:2415 driver=snd_intel8x0", "sound 0"]),
    row("sound-es1370", "<sound model='es1370'/>", &["pci id=1274:5000"]),
    row("sound-sb16", "<sound model='sb16'/>", &["pci id=8086:7000"]).on("pc").then(&[Step::Monitor("info qtree", "dev: sb16")]),
    row("sound-pcspk", "<sound model='pcspk'/>", &["pci id=8086:7000"])
        .on("pc")
        .then(&[Step::Monitor("info qtree", "dev: isa-pcspk")]),
    row(
        "sound-usb",
        "<controller type='usb' index='0' model='qemu-xhci'/><sound model='usb' multichannel='yes'/>",
        &["usb id=46f4:0002 driver=snd-usb-audio", "sound 0 USB-Audio"],
    ),
    // The guest's kernel has no driver for it.
    row("sound-virtio", "<sound model='virtio' streams='2'/>", &["virtio device=0x0019", "pci id=1AF4:1059"]),
    row(
        "audio-file",
        "<sound model='ac97'><audio id='2'/></sound><audio id='1' type='none'/>\
         <audio id='2' type='file' path='{dir}/sound.wav'><input mixingEngine='yes'/>\
         <output mixingEngine='yes' fixedSettings='yes'><settings frequency='44100' channels='2' format='s16'/></output></audio>",
        &["sound 0"],
    )
    .then(&[Step::Monitor("info qtree", "audiodev = \"audio2\"")]),
    video!("video-vga", "<model type='vga' vram='16384' heads='1' primary='yes'/>", &["pci id=1234:1111 class=030000"]),
    video!("video-cirrus", "<model type='cirrus' vram='16384'/>", &["pci id=1013:00B8"]),
    video!("video-vmvga", "<model type='vmvga' vram='16384'/>", &["pci id=15AD:0405"]),
    video!("video-bochs", "<model type='bochs' vram='16384'/>", &["pci id=1234:1111 class=038000"]),
    video!("video-virtio", "<model type='virtio' heads='2'><resolution x='1280' y='720'/></model>", &["pci id=1AF4:1050", "screen 0"]),
    video!("video-ramfb", "<model type='ramfb'/>", &["fwcfg etc/ramfb"]),
    video!("video-none", "<model type='none'/>", &["!pci class=030000"]),
    video!("video-qxl", "<model type='qxl'/>", &[]).refused("qxl"),
    row(
        "video-secondary",
        "<graphics type='vnc' port='-1' autoport='yes'/><video><model type='vga' primary='yes'/></video>\
         <video><model type='virtio'/></video>",
        &["pci id=1234:1111", "pci id=1AF4:1050"],
    ),
    row(
        "graphics-vnc",
        "<graphics type='vnc' port='-1' autoport='yes' keymap='de' sharePolicy='ignore'><listen type='address' \
         address='127.0.0.1'/></graphics><video><model type='vga'/></video>",
        &["pci id=1234:1111"],
    )
    .then(&[Step::Virsh("vncdisplay graphics-vnc", "127.0.0.1:"), Step::Host("ss -ltn", "127.0.0.1:59")]),
    row(
        "graphics-vnc-socket",
        "<graphics type='vnc'><listen type='socket' socket='{dir}/vnc.sock'/></graphics><video><model type='vga'/></video>",
        &["pci id=1234:1111"],
    )
    .then(&[Step::Host("timeout 1 socat -u UNIX:{dir}/vnc.sock -", "RFB 003.008")]),
    row(
        "graphics-vnc-password",
        "<graphics type='vnc' port='-1' autoport='yes' passwd='secret'/><video><model type='vga'/></video>",
        &["pci id=1234:1111"],
    )
    .then(&[Step::Monitor("info vnc", "Auth: vnc")]),
    row("graphics-spice", "<graphics type='spice' port='-1' autoport='yes'/>", &[]).refused("spice"),
    row("graphics-dbus", "<graphics type='dbus'/>", &[]).refused("dbus"),
    row("graphics-egl-headless", "<graphics type='egl-headless'/>", &[]).refused("egl-headless"),
    row("graphics-sdl", "<graphics type='sdl' display=':1'/>", &[]).refused("sdl"),
];

#[test]
fn media() {
    check(ROWS);
}
