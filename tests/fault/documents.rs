//! Documents made to hurt: refused with the reference's code, at once, and with the place where that is known.

use std::time::{Duration, Instant};

use virtbus_proto::table::domain::{DomainDefineXml, DomainUndefine};
use virtbus_tests::world::{Door, World};
use xtask::client::{Client, Refused};

use super::{client, empty_domain};

const INTERNAL: i32 = 1;
const OVERFLOW: i32 = 82;
const NO_NAME: i32 = 21;
const XML_ERROR: i32 = 27;
const CONFIG_UNSUPPORTED: i32 = 67;
const XML_DETAIL: i32 = 35;

/// Refused with one of these codes, and with a message that holds all of these words.
fn check(connection: &mut Client, xml: String, codes: &[i32], words: &[&str]) {
    let begin = Instant::now();
    let shown: String = xml.chars().take(200).collect();
    let why = connection.call(&DomainDefineXml { xml }).expect_err(&shown);
    let error = &why.downcast_ref::<Refused>().unwrap_or_else(|| panic!("{shown}: {why:#}")).0;
    let message = error.message.clone().unwrap_or_default();
    assert!(codes.contains(&error.code), "{shown}: code {}: {message}", error.code);
    for word in words {
        assert!(message.contains(word), "{shown}: {message:?} says nothing of {word:?}");
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{shown}: it took {:?}", begin.elapsed());
}

fn with(inside: &str) -> String {
    empty_domain("x").replace("</domain>", &format!("{inside}</domain>"))
}

#[test]
fn malformed() {
    let world = World::start();
    let it = &mut client(&world, Door::Proxy);
    check(it, String::new(), &[XML_DETAIL, XML_ERROR], &[]);
    check(it, "<domain".into(), &[XML_DETAIL], &[]);
    check(it, "<domain><name>x</domain>".into(), &[XML_DETAIL], &["name"]);
    check(it, "<network/>".into(), &[XML_ERROR], &["network"]);
    check(it, "<domain type='qemu'/>".into(), &[XML_ERROR, NO_NAME], &["name"]);
    check(it, with("<devices><disk type='file'><target dev='vda' bus='virtio'"), &[XML_DETAIL], &["line 1"]);
    check(
        it,
        with("<memory>1</memory>").replace("<memory unit='MiB'>", "<memory unit='MoB'>"),
        &[8, XML_ERROR],
        &["memory"],
    );

    let disk = "<devices>\n<disk type='file' device='disk'><source file='/x'/>\n<target dev='vda' bus='viritio'/></disk></devices>";
    check(it, with(disk), &[XML_ERROR, CONFIG_UNSUPPORTED], &["disk", "bus", "viritio", "line 3"]);
    let disk = "<devices><disk type='fiel' device='disk'/></devices>";
    check(it, with(disk), &[XML_ERROR], &["disk", "type", "fiel", "file"]);
    let twice = "<disk type='file' device='disk'><source file='/x'/><target dev='vda' bus='virtio'/></disk>".repeat(2);
    check(it, with(&format!("<devices>{twice}</devices>")), &[XML_ERROR, CONFIG_UNSUPPORTED], &["vda"]);
    check(it, with("<vcpu>many</vcpu>").replace("<vcpu>1</vcpu>", ""), &[XML_ERROR], &["vcpu", "many"]);
    check(it, with("").replace("<name>x<", "<name>a/b<"), &[XML_ERROR], &["name"]);
    assert_eq!(world.virsh(Door::Proxy, &["list", "--all", "--name"]), "");
}

/// Numbers that a daemon could take for so many things to make: each is refused at once, and it lives.
#[test]
fn counts_of_billions() {
    let world = World::start();
    let it = &mut client(&world, Door::Direct);
    for number in ["4294967296", "4294967295", "-1"] {
        let vcpu = |inside: String| with("").replace("<vcpu>1</vcpu>", &inside);
        let device = |inside: &str| with(&format!("<devices>{}</devices>", inside.replace('#', number)));
        check(it, vcpu(format!("<vcpu>{number}</vcpu>")), &[XML_ERROR, CONFIG_UNSUPPORTED], &[]);
        check(it, vcpu(format!("<vcpu current='{number}'>1</vcpu>")), &[XML_ERROR, CONFIG_UNSUPPORTED], &["vcpu"]);
        check(it, with(&format!("<iothreads>{number}</iothreads>")), &[XML_ERROR], &["domain"]);
        let topology = format!("<cpu><topology sockets='{number}' cores='{number}' threads='1'/></cpu>");
        check(it, with(&topology), &[XML_ERROR, CONFIG_UNSUPPORTED], &[]);
        let cell = format!("<cpu><numa><cell id='{number}' cpus='0' memory='1'/></numa></cpu>");
        check(it, with(&cell), &[XML_ERROR], &["domain"]);
        let port = "<controller type='pci' index='#' model='pcie-root-port'/>";
        check(it, device(port), &[XML_ERROR, INTERNAL], &[]);
        let drive = "<disk type='file'><source file='/x'/><target dev='sda' bus='scsi'/>\
                     <address type='drive' controller='#' bus='0' target='0' unit='0'/></disk>";
        check(it, device(drive), &[XML_ERROR, INTERNAL], &["controller"]);
        check(it, device("<shmem name='a'><size unit='E'>#</size></shmem>"), &[XML_ERROR, OVERFLOW], &["shmem"]);
    }
    let disks: String =
        (0..2000).map(|at| format!("<interface type='user'><acpi index='{at}'/></interface>")).collect();
    check(it, with(&format!("<devices>{disks}</devices>")), &[XML_ERROR, CONFIG_UNSUPPORTED, INTERNAL], &[]);
    client(&world, Door::Proxy).call(&virtbus_proto::table::node::ConnectGetLibVersion {}).unwrap();
}

#[test]
fn bombs() {
    let world = World::start();
    let it = &mut client(&world, Door::Direct);
    let mut entities = String::from("<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>");
    for (name, of) in ('b'..='k').zip('a'..) {
        entities += &format!("<!ENTITY {name} '{}'>", format!("&{of};").repeat(10));
    }
    check(it, format!("{entities}]>{}", with("<description>&k;</description>")), &[XML_DETAIL, XML_ERROR], &[]);
    let file = "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>";
    // The reference leaves the reference unexpanded; either will do, but not the file's content.
    let foreign = it.call(&DomainDefineXml { xml: format!("{file}{}", with("<description>&f;</description>")) });
    if let Ok(reply) = foreign {
        assert!(!world.virsh(Door::Direct, &["dumpxml", "x"]).contains("root:"));
        it.call(&DomainUndefine { dom: reply.dom }).unwrap();
    }
    let levels = 100_000;
    check(
        it,
        with(&format!("<metadata>{}{}</metadata>", "<a>".repeat(levels), "</a>".repeat(levels))),
        &[XML_DETAIL, XML_ERROR],
        &[],
    );
    check(it, "<domain>".repeat(levels), &[XML_DETAIL, XML_ERROR], &[]);
    let attributes: String = (0..100_000).map(|it| format!(" a{it}='1'")).collect();
    let many = it.call(&DomainDefineXml { xml: with(&format!("<metadata><x:y xmlns:x='u'{attributes}/></metadata>")) });
    // Large is not wrong; whatever the answer is, it came and the daemon is well.
    drop(many);
    client(&world, Door::Proxy).call(&virtbus_proto::table::node::ConnectGetLibVersion {}).unwrap();
    assert!(!world.stack.log("virtqemud").contains("panicked"), "{}", world.stack.log("virtqemud"));
}
