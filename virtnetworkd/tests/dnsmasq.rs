//! dnsmasq's files, equal to those that the reference writes for the same documents.
//!
//! `dnsmasq/NAME.xml` are our own documents, the files beside them were recorded from libvirt 11.3.0; an absent one is empty.
//! With `GOLDEN_DIR` a recorded corpus (`cases/network/NAME/`) is replayed too; there the order of lines is free.

use std::path::Path;

use virtbus_schema::Network;
use virtnetworkd::dhcp::{Places, config};

fn places() -> Places {
    Places {
        files: "/var/lib/libvirt/dnsmasq".into(),
        run: "/run/libvirt/network".into(),
        dnsmasq: "dnsmasq".into(),
        helper: "/usr/libexec/virtbus_leaseshelper".into(),
    }
}

/// The lines of a file without its comments.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("##")).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn our_documents_give_the_references_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dnsmasq");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_none_or(|it| it != "xml") {
            continue;
        }
        let network = Network::parse(&read(&entry)).expect("a network");
        assert!(config::is_served(&network), "{}", entry.display());
        let files = config::files(&network, network.bridge_name().expect("named"), &places());
        for (extension, text) in [("conf", &files.config), ("hostsfile", &files.hosts), ("addnhosts", &files.names)] {
            let path = entry.with_extension(extension);
            assert_eq!(lines(text), lines(&read(&path)), "{}", path.display());
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn a_document_adds_no_lines_of_its_own() {
    let xml = "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>\
               <bridge name='b'/><domain name='a&#10;dhcp-script=/tmp/x'/><dns><txt name='t' value='v&#10;user=root'/></dns>\
               <ip address='10.1.1.1' prefix='24'><tftp root='/a&#13;&#10;conf-dir=/tmp'/></ip></network>";
    let network = Network::parse(xml).expect("a network");
    let text = config::files(&network, "b", &places()).config;
    for line in text.lines() {
        assert!(!["dhcp-script", "user", "conf-dir"].iter().any(|it| line.starts_with(it)), "{line}");
    }
}

#[test]
fn quotes_in_names_stay_in_the_names_of_files() {
    let network = Network::parse(
        "<network><name>a\"b\\c</name><bridge name='b'/><ip address='10.1.1.1' prefix='24'><dhcp>\
         <host mac='52:54:00:00:00:01' ip='10.1.1.3'/></dhcp></ip></network>",
    );
    let text = config::files(&network.expect("a network"), "b", &places()).config;
    for line in [
        r#"pid-file="/run/libvirt/network/a\"b\\c.pid""#,
        r#"dhcp-hostsfile="/var/lib/libvirt/dnsmasq/a\"b\\c.hostsfile""#,
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
}

#[test]
fn who_is_served() {
    let served = |inner: &str| {
        config::is_served(&Network::parse(&format!("<network><name>n</name>{inner}</network>")).expect("a network"))
    };
    let ip = "<ip address='10.1.1.1' prefix='24'/>";
    let dhcp = "<ip address='10.1.1.1' prefix='24'><dhcp><range start='10.1.1.2' end='10.1.1.9'/></dhcp></ip>";
    assert!(served(ip) && served(&format!("<dns enable='no'/>{dhcp}")));
    assert!(!served("") && !served(&format!("<dns enable='no'/>{ip}")));
    assert!(!served("<forward mode='bridge'/><bridge name='br0'/>"));
}

#[test]
fn the_corpus_agrees() {
    let Some(directory) = std::env::var_os("GOLDEN_DIR") else {
        eprintln!("skipped: GOLDEN_DIR is not set");
        return;
    };
    let cases = Path::new(&directory).join("cases/network");
    let (mut right, mut faults) = (0, Vec::new());
    for case in std::fs::read_dir(cases).expect("cases").map(|entry| entry.expect("a case").path()) {
        let Ok(config) = std::fs::read_to_string(case.join("dnsmasq.conf")) else { continue };
        let network = Network::parse(&read(&case.join("in.xml"))).expect("a network");
        let files = config::files(&network, network.bridge_name().expect("named"), &places());
        let sorted = |text: &str| {
            let mut lines: Vec<String> = lines(text).into_iter().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let (hosts, names) = (read(&case.join("dnsmasq.hostsfile")), read(&case.join("dnsmasq.addnhosts")));
        for (got, want) in [(&files.config, &config), (&files.hosts, &hosts), (&files.names, &names)] {
            if sorted(got) == sorted(want) {
                right += 1;
            } else {
                faults.push(format!("{}: want {:?}\n got {:?}", case.display(), sorted(want), sorted(got)));
            }
        }
    }
    eprintln!("{right} of {} files equal", right + faults.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
