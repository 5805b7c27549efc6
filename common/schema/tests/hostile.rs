//! Documents made to cost more than they are long: each is read and written in time and memory in step with its length.

// A document that is not there to be read should fail the test where it is.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use virtbus_schema::{Domain, FormatOptions};

fn domain(inside: &str) -> String {
    format!("<domain type='kvm'><name>a</name><memory>1</memory><os><type>hvm</type></os>{inside}</domain>")
}

fn repeat(count: usize, mut one: impl FnMut(usize, &mut String)) -> String {
    let mut text = String::new();
    for at in 0..count {
        one(at, &mut text);
    }
    text
}

/// Reads the document (refused or not) and writes what was read. What grows with the square of the length takes minutes.
fn check_in_step(what: &str, text: &str) {
    let begun = Instant::now();
    if let Ok(domain) = Domain::parse(text) {
        let written = domain.format(FormatOptions::default());
        let bound = 40 * text.len();
        assert!(written.len() < bound, "{what}: {} bytes of {}", written.len(), text.len());
    }
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_secs(20), "{what}: {elapsed:?}");
}

#[test]
fn sets_of_numbers() {
    let set = repeat(400_000, |_, text| text.push_str("0-16383,"));
    check_in_step("ranges", &domain(&format!("<vcpu cpuset='{set}1'>1</vcpu>")));
}

#[test]
fn namespaces() {
    let metadata = |inside: &str| domain(&format!("<metadata>{inside}</metadata>"));
    let many = repeat(120_000, |at, text| write!(text, "<a xmlns='u{at}'/>").unwrap());
    check_in_step("namespaces", &metadata(&many));
    let many = repeat(250_000, |at, text| write!(text, "<p{at}:a/>").unwrap());
    check_in_step("prefixes", &metadata(&format!("<a xmlns='u'>{many}</a>")));
    let declared = repeat(200, |at, text| write!(text, " xmlns:p{at}='u'").unwrap());
    let many = repeat(100_000, |_, text| text.push_str("<p1:a/>"));
    let levels = format!("<p0:a{declared}>").repeat(100);
    check_in_step("declarations", &metadata(&format!("{levels}{many}{}", "</p0:a>".repeat(100))));
}

#[test]
fn depth() {
    let leaves = "<b/>".repeat(200_000);
    let nested = |open: &str, close: &str| format!("{}{leaves}{}", open.repeat(240), close.repeat(240));
    check_in_step("metadata", &domain(&format!("<metadata><a xmlns='u'>{}</a></metadata>", nested("<a>", "</a>"))));
    let coalesce = format!("<coalesce>{}</coalesce>", nested("<a>", "</a>"));
    let interface = format!("<interface type='user'>{coalesce}</interface>");
    check_in_step("coalesce", &domain(&format!("<devices>{interface}</devices>")));
}

#[test]
fn lists() {
    let labels = repeat(100_000, |at, text| write!(text, "<seclabel type='none' model='m{at}'/>").unwrap());
    check_in_step("labels", &domain(&labels));
    let graphics = repeat(60_000, |_, text| text.push_str("<graphics type='vnc' passwdValidTo='x' port='x'/>"));
    check_in_step("lenient", &domain(&format!("<devices>{graphics}</devices>")));
    check_in_step("unknown", &domain(&repeat(300_000, |at, text| write!(text, "<u{at}/>").unwrap())));
    check_in_step("references", &domain(&format!("<title>{}</title>", "&#x41;".repeat(600_000))));
    let value = "&lt;&#x41;\r\n".repeat(300_000);
    check_in_step("value", &domain(&format!("<devices><emulator a='{value}'>/x</emulator></devices>")));
    let link = "<latency initiator='0' target='0' type='access' value='1'/>";
    let links = format!("<latency initiator='0' target='0' type='read' value='1'/>{}", link.repeat(60_000));
    let cell = "<cell id='0' cpus='0' memory='1'/>";
    check_in_step("links", &domain(&format!("<cpu><numa>{cell}<interconnects>{links}</interconnects></numa></cpu>")));
    let states = repeat(60_000, |at, text| write!(text, "<vcpu id='{}' enabled='yes'/>", at % 2000).unwrap());
    check_in_step("states", &domain(&format!("<vcpu>60000</vcpu><vcpus>{states}</vcpus>")));
    let attrs = repeat(255, |at, text| write!(text, " a{at}=''").unwrap());
    check_in_step("attributes", &domain(&format!("<devices{attrs}/>").repeat(1500)));
}

/// What a definition costs grows in step with its devices: ten times as many take ten times as long, not a hundred times.
#[test]
fn devices_cost_in_step() {
    let time = |count: usize| {
        let disk = |at: usize, text: &mut String| {
            write!(
                text,
                "<disk type='file'><source file='/x{at}'/><target dev='sd{at}'/><address type='drive'/></disk>"
            )
            .unwrap();
        };
        let name =
            |at: usize| (0..4).map(|it| char::from(b'a' + (at / 26_usize.pow(it) % 26) as u8)).collect::<String>();
        let disks = repeat(count, |at, text| {
            let mut one = String::new();
            disk(at, &mut one);
            text.push_str(&one.replace(&format!("sd{at}"), &format!("sd{}", name(at))));
        });
        let text = domain(&format!("<devices>{disks}</devices>"));
        let once = || {
            let begun = Instant::now();
            std::hint::black_box(Domain::parse(&text).unwrap().format(FormatOptions::default()));
            begun.elapsed()
        };
        (0..5).map(|_| once()).min().unwrap()
    };
    let (few, many) = (time(200), time(2000));
    assert!(many < 30 * few, "200 disks take {few:?}, 2000 {many:?}");
}

/// What made other daemons end or write elsewhere is refused, and the refusal names the place.
#[test]
fn names_and_numbers_that_lead_elsewhere() {
    let named = |name: &str| {
        format!("<domain type='kvm'><name>{name}</name><memory>1</memory><os><type>hvm</type></os></domain>")
    };
    let code = |text: &str| Domain::parse(text).map_err(|it| (it.kind.code(), it.to_string())).unwrap_err();
    for name in ["a/b", "../x", "/etc/passwd", "..", "."] {
        assert_eq!(code(&named(name)).0, 27, "{name}");
    }
    let faults = [
        ("<vcpu>-1</vcpu>", 27, "domain/vcpu"),
        ("<vcpu>4294967296</vcpu>", 27, "domain/vcpu"),
        ("<vcpu>0</vcpu>", 1, "domain/vcpu"),
        ("<iothreads>-1</iothreads>", 27, "domain/iothreads"),
        ("<maxMemory slots='1' unit='EiB'>99</maxMemory>", 82, "domain/maxMemory"),
        ("<cpu><topology sockets='4294967296' cores='1' threads='1'/></cpu>", 27, "domain/cpu/topology/@sockets"),
        ("<cputune><vcpupin vcpu='0' cpuset='0-4294967295'/></cputune>", 8, "domain/cputune/vcpupin/@cpuset"),
        ("<devices><disk type='file'><source file='/x'/></disk></devices>", 20, "domain/devices/disk"),
    ];
    for (inside, number, place) in faults {
        let (found, text) = code(&domain(inside));
        assert_eq!(found, number, "{inside}: {text}");
        assert!(text.starts_with(place), "{inside}: {text}");
    }
    // Counts of billions are numbers like others: nothing is made for each.
    let begun = Instant::now();
    let many = Domain::parse(&domain("<vcpu current='1'>4294967295</vcpu>")).unwrap();
    assert_eq!(many.vcpu.count, u32::MAX);
    let states = "<vcpu>4294967295</vcpu><vcpus><vcpu id='1' enabled='yes'/></vcpus>";
    assert!(Domain::parse(&domain(states)).unwrap().format(FormatOptions::default()).len() < 1 << 20);
    let listed = "<iothreads>4294967295</iothreads><iothreadids><iothread id='4294967295'/></iothreadids>";
    for inside in ["<iothreads>4294967295</iothreads>", listed] {
        assert_eq!(code(&domain(inside)).0, 27, "{inside}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn stores_of_stores() {
    let nested = |depth: usize| {
        let (open, close) = ("<source file='/x'><dataStore type='file'><format type='raw'/>", "</dataStore></source>");
        let source = format!("{}<source file='/z'/>{}", open.repeat(depth), close.repeat(depth));
        Domain::parse(&domain(&format!("<devices><disk type='file'>{source}<target dev='vda'/></disk></devices>")))
    };
    assert!(nested(1).is_ok());
    assert_eq!(nested(120).unwrap_err().kind.code(), 67);
}

/// The deepest chain of images that a document can hold is read, copied, compared, written and dropped on the stack of a worker.
#[test]
fn chains_of_images() {
    let depth = 252;
    let (open, close) = ("<backingStore type='file'><format type='raw'/><source file='/x'/>", "</backingStore>");
    let text = domain(&format!(
        "<devices><disk type='file'><source file='/y'/><target dev='vda'/>{}{}</disk></devices>",
        open.repeat(depth),
        close.repeat(depth)
    ));
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let read = worker.spawn(move || {
        let domain = Domain::parse(&text).unwrap();
        let copy = domain.clone();
        assert!(copy == domain);
        domain.format(FormatOptions::default()).matches("<backingStore").count()
    });
    assert_eq!(read.unwrap().join().unwrap(), depth);
}
