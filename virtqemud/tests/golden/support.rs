//! What both kinds of cases need: the emulator's capabilities, installed firmware, a command line as text.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use virtbus_api::Result;
use virtbus_schema::domain::Domain;
use virtbus_schema::domain::device::chardev::{ChannelTarget, CharSource, CharSourceMode, Chardev};
use virtbus_schema::domain::device::graphics::Graphics;
use virtbus_schema::xml::YesNo;
use virtqemud::capabilities::firmware::Firmware;
use virtqemud::device::HostEnds;
use virtqemud::device::channel::socket_name;
use virtqemud::device::secret::Secrets;
use virtqemud::machine::Installed;
use virtqemud::process::argv::{self, Backing, Cx, Monitor};
use virtqemud::process::capabilities::QemuCaps;

pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

pub(crate) fn caps() -> QemuCaps {
    let text = std::fs::read(golden().join("caps/qemu-10.0.2-x86_64.json")).expect("the probed capabilities are there");
    serde_json::from_slice(&text).expect("they are what is written today")
}

/// Firmware as Debian's ovmf package describes it.
pub(crate) fn installed() -> Installed {
    let one = |code: &str, vars: &str, machines: &str, features: &str| -> Firmware {
        let text = format!(
            r#"{{"interface-types": ["uefi"], "mapping": {{"device": "flash",
            "executable": {{"filename": "/usr/share/OVMF/{code}", "format": "raw"}},
            "nvram-template": {{"filename": "/usr/share/OVMF/{vars}", "format": "raw"}}}},
            "targets": [{{"architecture": "x86_64", "machines": [{machines}]}}], "features": [{features}]}}"#
        );
        serde_json::from_str(&text).expect("a descriptor")
    };
    let sev = r#""amd-sev""#;
    let secure = r#""amd-sev", "requires-smm", "secure-boot""#;
    Installed {
        firmware: vec![
            one("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd", r#""pc-q35-*""#, &format!(r#""enrolled-keys", {secure}"#)),
            one("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd", r#""pc-q35-*""#, secure),
            one("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", r#""pc-i440fx-*", "pc-q35-*""#, sev),
        ],
        nvram: PathBuf::from("/var/lib/libvirt/qemu/nvram"),
    }
}

/// Channels get their paths from whoever starts the guest.
pub(crate) fn choose_paths(domain: &mut Domain, short_name: &str) {
    for channel in &mut domain.devices.channels {
        let file = socket_name(channel);
        if let (ChannelTarget::Virtio { .. }, Chardev::Unix { source, .. }) = (&channel.target, &mut channel.chardev) {
            let source = source.get_or_insert_with(CharSource::default);
            if source.path.is_none() {
                source.mode = Some(CharSourceMode::Bind);
                source.path = Some(format!("/run/libvirt/qemu/channel/{short_name}/{file}"));
            }
        }
    }
    for display in &mut domain.devices.graphics {
        if let Graphics::Dbus(display) = display
            && display.p2p != Some(YesNo::Yes)
        {
            let path = format!("unix:path=/run/libvirt/qemu/dbus/{short_name}-dbus.sock");
            display.address.get_or_insert(path);
        }
    }
}

/// The command line of a complete guest, one word per line, as `record.py` writes it.
pub(crate) fn command_line(mut domain: Domain, caps: &QemuCaps, secrets: Secrets) -> Result<String> {
    let short_name = format!("-1-{}", domain.name.chars().take(20).collect::<String>());
    argv::as_shown(&mut domain)?;
    argv::name_parts(&mut domain);
    choose_paths(&mut domain, &short_name);
    let home = PathBuf::from(format!("/var/lib/libvirt/qemu/domain-{short_name}"));
    let cx = Cx {
        caps,
        home: &home,
        monitor: Monitor::Path(home.join("monitor.sock")),
        networks: HashMap::new(),
        host: HostEnds::default(),
        sandbox: true,
        dump_guest_core: false,
        now: 0,
        secrets,
        backing: Backing {
            files: PathBuf::from(format!("/var/lib/libvirt/qemu/ram/{short_name}")),
            name: short_name.clone(),
            page: 4096,
            nodes: vec![0],
            ..Backing::default()
        },
    };
    let line = argv::build(&domain, cx)?;
    // What else the environment holds depends on the host, and is not recorded.
    let recorded = |name: &str| {
        matches!(name, "LC_ALL" | "HOME") || ["XDG_", "QEMU_", "SDL_", "PULSE_"].iter().any(|it| name.starts_with(it))
    };
    let kept = line.env.iter().filter(|(name, _)| recorded(name)).map(|(name, value)| format!("{name}={value}"));
    let words = kept.chain([line.program.display().to_string()]).chain(line.args);
    Ok(words.map(|word| mask(&word) + "\n").collect())
}

/// Numbers of descriptors, times and random values are not part of what is compared.
pub(crate) fn mask(word: &str) -> String {
    let mut word = word.to_owned();
    if word.contains(r#""qom-type":"secret","#) {
        word = hide(&word, r#""data":""#, "@SECRET@");
        word = hide(&word, r#""iv":""#, "@IV@");
    }
    if word.starts_with("base=") && word.as_bytes().get(5).is_some_and(u8::is_ascii_digit) {
        let rest = word.split_once(',').map(|(_, rest)| format!(",{rest}")).unwrap_or_default();
        return format!("base=@TIME@{rest}");
    }
    let Some((before, rest)) = word.split_once(r#""fd":""#) else { return word };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!(r#"{before}"fd":"@FD@{after}"#)
}

fn hide(word: &str, before: &str, with: &str) -> String {
    let Some((head, rest)) = word.split_once(before) else { return word.to_owned() };
    let tail = rest.split_once('"').map_or("", |(_, tail)| tail);
    format!("{head}{before}{with}\"{tail}")
}

/// The first line that differs, for the message.
pub(crate) fn difference<'a>(want: &'a str, got: &'a str) -> Option<(usize, &'a str, &'a str)> {
    if want == got {
        return None;
    }
    let mut want = want.lines();
    let mut got = got.lines();
    for number in 1.. {
        let (want, got) = (want.next(), got.next());
        if want != got || want.is_none() {
            return Some((number, want.unwrap_or("the end"), got.unwrap_or("the end")));
        }
    }
    None
}
