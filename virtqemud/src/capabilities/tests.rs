//! The documents over a small snapshot of an emulator; and, where the reference's recordings are at hand, over the real one.
//!
//! `GOLDEN_DIR` names a folder with `cases/{domcaps,query}/*/{in.json, out.xml | result.json | error.json}`: calls to the
//! reference and its answers, recorded with the same version of QEMU on a CPU of the same kind. Without it that part is skipped.

use serde_json::Value;
use virtbus_schema::domain_capabilities::Choice;

use super::*;

const SNAPSHOT: &str = include_str!("tests/caps.json");

fn caps() -> QemuCaps {
    serde_json::from_str(SNAPSHOT).expect("a snapshot")
}

fn of(name: &str) -> Arch {
    Arch::named(name).expect(name)
}

fn document(arch: &str, machine: &str, accel: Accel) -> DomainCapabilities {
    let (caps, map) = (caps(), cpu_map::for_tests());
    let cpu = HostCpuFacts { address_bits: Some(48), kvm_max_vcpus: Some(1024), ..HostCpuFacts::default() };
    let subject = Subject { caps: &caps, arch: of(arch), machine: caps.machine(machine).expect("a machine"), accel };
    let host = Surroundings {
        arch: of("x86_64"),
        cpu: &cpu,
        map: Some(&map),
        firmware: &[],
        firmware_files: &[],
        tpm_versions: None,
        vfio: false,
    };
    domain::document(subject, host)
}

fn values(choices: &[Choice], name: &str) -> Vec<String> {
    choices.iter().find(|it| it.name == name).map(|it| it.values.clone()).unwrap_or_default()
}

#[test]
fn a_machine_decides_what_there_is() {
    let pc = document("x86_64", "pc", Accel::Tcg);
    let q35 = document("x86_64", "q35", Accel::Kvm);
    assert_eq!((pc.machine.as_deref(), pc.max_vcpus), (Some("pc-i440fx-10.0"), Some(255)));
    assert_eq!((q35.domain.as_str(), q35.max_vcpus), ("kvm", Some(1024)));
    let buses = |it: &DomainCapabilities| values(&it.devices.disk.as_ref().expect("disks").choices, "bus");
    assert_eq!(buses(&pc), ["ide", "fdc", "scsi", "virtio", "usb", "sata"]);
    assert_eq!(buses(&q35), ["fdc", "scsi", "virtio", "usb", "sata"]);
    let tpm = pc.devices.tpm.expect("spoken of");
    assert_eq!(values(&tpm.choices, "backendModel"), ["passthrough"]);
}

#[test]
fn the_accelerator_decides_the_cpu() {
    let translated = document("x86_64", "q35", Accel::Tcg).cpu;
    assert_eq!(translated.host_passthrough, None);
    let model = translated.host_model.expect("a model");
    assert_eq!(model.model.map(|it| it.name).as_deref(), Some("small"));
    assert_eq!(model.maxphysaddr, None);
    let hardware = document("x86_64", "q35", Accel::Kvm).cpu;
    assert_eq!(
        hardware.host_passthrough.map(|it| values(&it, "hostPassthroughMigratable")),
        Some(vec!["on".into(), "off".into()])
    );
    let model = hardware.host_model.expect("a model");
    assert_eq!(model.model.map(|it| it.name).as_deref(), Some("Amd1"));
    assert_eq!(model.maxphysaddr.and_then(|it| it.limit), Some(48));
    let parts = hardware.custom.expect("models").parts;
    let amd = parts.iter().find(|it| it.model.name == "Amd1").expect("listed");
    assert_eq!((amd.blockers.as_slice(), amd.model.vendor.as_deref()), (&["cmp_legacy".to_owned()][..], Some("AMD")));
    assert!(!parts.iter().any(|it| it.model.name == "max"));
}

#[test]
fn guests_list_the_default_machine_first() {
    let guest = guests::guest(of("x86_64"), of("i686"), &caps());
    let machines: Vec<_> = guest.arch.machines.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(machines, ["pc-i440fx-10.0", "pc", "pc-q35-10.0", "q35", "microvm"]);
    assert_eq!(guest.arch.domains.len(), 2);
    assert!(guest.features.is_some_and(|it| it.pae));
}

#[test]
fn what_does_not_go_together_is_refused_in_the_references_words() {
    let (caps, host) = (caps(), of("x86_64"));
    let text = |it: Error| (it.code, it.message());
    let invalid = |message: &str| (ErrorCode::InvalidArg, format!("invalid argument: {message}"));
    assert_eq!(
        text(fitting_arch(&caps, Some(of("aarch64")), host).expect_err("another family")),
        invalid("architecture from emulator 'x86_64' doesn't match given architecture 'aarch64'")
    );
    let narrow = QemuCaps { arch: "i686".to_owned(), ..caps.clone() };
    assert_eq!(
        text(fitting_arch(&narrow, None, host).expect_err("too narrow")),
        invalid("Emulator '/usr/bin/qemu-system-x86_64' does not support arch 'x86_64'")
    );
    assert_eq!(
        text(fitting_machine(&caps, Some("none")).expect_err("no machine")),
        invalid("the machine 'none' is not supported by emulator '/usr/bin/qemu-system-x86_64'")
    );
    assert_eq!(
        text(fitting_accel(&caps, host, host, Some("xen")).expect_err("not served")),
        invalid("Emulator '/usr/bin/qemu-system-x86_64' does not support virt type 'xen'")
    );
    assert_eq!(fitting_accel(&caps, host, host, None).expect("chosen"), Accel::Kvm);
    assert_eq!(fitting_arch(&caps, Some(of("i686")), host).expect("served").name, "i686");
}

fn first_difference(said: &str, expected: &str) -> Option<String> {
    let mut lines = said.trim_end().lines().zip(expected.trim_end().lines()).enumerate();
    let found = lines.find(|(_, (said, expected))| said != expected);
    let (said, expected) = (said.trim_end(), expected.trim_end());
    found
        .map(|(number, (said, expected))| format!("line {}: {said} instead of {expected}", number + 1))
        .or_else(|| (said != expected).then(|| "one is longer".to_owned()))
}

/// A recorded call and what came of it.
struct Case {
    name: String,
    arguments: Vec<Value>,
    document: Option<String>,
    result: Option<Value>,
    error: Option<Value>,
}

impl Case {
    /// The cases below `folder` whose names begin so.
    fn all(folder: &Path, prefix: &str) -> Vec<Case> {
        let entries = std::fs::read_dir(folder).expect("recordings").flatten().map(|it| it.path());
        let named = entries.filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().starts_with(prefix)));
        let case = |path: PathBuf| {
            let read = |name: &str| std::fs::read_to_string(path.join(name)).ok();
            let json = |name: &str| read(name).map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
            Case {
                name: path.display().to_string(),
                arguments: json("in.json").and_then(|it| it["args"].as_array().cloned()).unwrap_or_default(),
                document: read("out.xml"),
                result: json("result.json"),
                error: json("error.json"),
            }
        };
        named.map(case).collect()
    }

    fn argument(&self, at: usize) -> Option<&str> {
        self.arguments.get(at).and_then(Value::as_str)
    }

    /// What is wrong with an answer, if anything.
    fn fault(&self, said: Result<Value>) -> Option<String> {
        let fault = match (said, &self.error) {
            (Err(said), Some(expected)) => {
                let same = expected["code"] == said.code.number() && expected["message"] == said.message();
                (!same).then(|| format!("{} instead of {expected}", said.message()))
            }
            (Ok(Value::String(said)), None) => first_difference(&said, self.document.as_deref().unwrap_or_default()),
            (Ok(said), None) => (Some(&said) != self.result.as_ref()).then(|| said.to_string()),
            (said, _) => Some(format!("{said:?}")),
        };
        fault.map(|it| format!("{}: {it}", self.name))
    }
}

/// The documents of a host as that of the recording, whatever is installed here.
async fn documents() -> Documents {
    let documents = Documents::new(HostSettings { uuid: None, owner: Some((64055, 64055)) });
    let facts = documents.facts().await.expect("facts");
    let facts = Facts {
        arch: facts.arch,
        map: facts.map.clone(),
        cpu: facts.cpu.clone(),
        tpm_versions: Some(vec!["1.2", "2.0"]),
    };
    Documents { facts: OnceCell::new_with(Some(Arc::new(facts))), ..documents }
}

/// A host document without what differs between hosts and hours.
fn steady(document: &str) -> String {
    let changing = ["<uuid>", "<counter ", "<memory ", "<pages unit='KiB' size='4'>"];
    document
        .lines()
        .filter(|line| !changing.iter().any(|it| line.trim_start().starts_with(it)))
        .fold(String::new(), |text, line| text + line + "\n")
}

#[tokio::test]
async fn the_reference_says_the_same() {
    let Some(golden) = std::env::var_os("GOLDEN_DIR").map(PathBuf::from) else {
        println!("skipped: GOLDEN_DIR is not set");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (emulators, documents) = (Cache::new(directory.path(), None), documents().await);
    let mut faults = Vec::new();
    let mut count = 0;
    let cases = golden.join("cases");
    // Bad flags (the fifth argument) are the front's to refuse.
    let domain_cases = Case::all(&cases.join("domcaps"), "");
    for it in domain_cases.iter().filter(|it| it.arguments[4].as_u64().is_some_and(|flags| flags <= 1)) {
        let said = documents
            .domain_capabilities(&emulators, it.argument(0), it.argument(1), it.argument(2), it.argument(3))
            .await;
        faults.extend(it.fault(said.map(|it| it.to_xml().into())));
        count += 1;
    }
    for it in Case::all(&cases.join("query"), "cpumodels-") {
        let said = documents.cpu_models(it.argument(0).unwrap_or_default()).await;
        faults.extend(it.fault(said.map(Value::from)));
        count += 1;
    }
    for it in Case::all(&cases.join("query"), "maxvcpus-") {
        let said = documents.max_vcpus(it.argument(0)).await;
        faults.extend(it.fault(said.map(Value::from)));
        count += 1;
    }
    for it in Case::all(&cases.join("query"), "capabilities") {
        let said = documents.host_capabilities(&emulators).await.expect("a document").to_xml();
        let expected = Case { document: it.document.as_deref().map(steady), ..it };
        faults.extend(expected.fault(Ok(steady(&said).into())));
        count += 1;
    }
    println!("{count} answers compared");
    assert!(count > 0 && faults.is_empty(), "{faults:#?}");
}
