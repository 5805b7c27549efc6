//! Asking a QEMU binary what it can do: one process without a machine, all questions sent at once, the answers read to the end.
//!
//! Started once per accelerator, since the CPU models differ. Nothing is kept here; `cache` does that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use virtbus_host::process::Spawn;

use super::{Accel, CpuModel, Cpus, MachineType, QemuCaps, Version};

/// How long the answers may take. The largest, the schema, takes QEMU 50 ms on an idle host.
const DEADLINE: Duration = Duration::from_secs(30);

/// Device types whose properties decide something.
pub const DEVICES_ASKED: &[&str] = &[
    "ICH9-LPC",
    "PIIX4_PM",
    "VGA",
    "ide-hd",
    "intel-iommu",
    "mch",
    "nvdimm",
    "pcie-root-port",
    "scsi-block",
    "scsi-hd",
    "usb-host",
    "usb-redir",
    "vfio-pci",
    "virtio-balloon-pci",
    "virtio-blk-pci",
    "virtio-gpu-pci",
    "virtio-iommu-pci",
    "virtio-mem-pci",
    "virtio-net-pci",
    "virtio-scsi-pci",
    "vhost-user-fs-pci",
];

/// What is looked for in the QMP schema: a flag's name, and a path of command, then members and variants (`+name`) of what it
/// takes, or, with `<` before the command, of what it answers.
pub const SCHEMA_FLAGS: &[(&str, &str)] = &[
    ("blockdev.qcow2.discard-no-unref", "blockdev-add/+qcow2/discard-no-unref"),
    ("blockdev.nvme", "blockdev-add/+nvme"),
    ("blockdev.io_uring", "blockdev-add/+file/aio/^io_uring"),
    ("netdev.user", "netdev_add/+user"),
    ("netdev.stream", "netdev_add/+stream"),
    ("netdev.stream.reconnect-ms", "netdev_add/+stream/reconnect-ms"),
    ("netdev.vhost-vdpa", "netdev_add/+vhost-vdpa"),
    ("chardev.socket.reconnect", "chardev-add/backend/+socket/data/reconnect"),
    ("chardev.socket.reconnect-ms", "chardev-add/backend/+socket/data/reconnect-ms"),
    ("chardev.qemu-vdagent", "chardev-add/backend/+qemu-vdagent"),
    ("chardev.spicevmc", "chardev-add/backend/+spicevmc"),
    ("chardev.dbus", "chardev-add/backend/+dbus"),
    ("display.dbus", "<query-display-options/+dbus"),
    ("display.egl-headless", "<query-display-options/+egl-headless"),
    ("display.sdl", "<query-display-options/+sdl"),
    ("object.thread-context", "object-add/+thread-context"),
    ("object.iothread.thread-pool-max", "object-add/+iothread/thread-pool-max"),
    ("object.memory-backend-file.reserve", "object-add/+memory-backend-file/reserve"),
    ("object.memory-backend-memfd.hugetlb", "object-add/+memory-backend-memfd/hugetlb"),
];

/// Why a binary could not be probed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It could not be run, or not to its end.
    #[error("cannot run it for probing")]
    Run(#[from] virtbus_host::process::OutputError),
    /// It ended without answering.
    #[error("it did not answer on QMP: {0}")]
    Silent(String),
    /// An answer is not what QMP promises.
    #[error("unexpected answer to {command}: {what}")]
    Answer {
        /// The command asked.
        command: &'static str,
        /// What is wrong.
        what: String,
    },
    /// It is older than what is served.
    #[error("QEMU {0} is older than {oldest}", oldest = Version::OLDEST)]
    TooOld(Version),
}

/// Asks `binary` everything. `user` is who QEMU runs as, so that access to /dev/kvm is what a guest will have.
///
/// # Errors
/// When it cannot be run, does not speak QMP, or is too old.
pub async fn probe(binary: &Path, user: Option<(u32, u32)>) -> Result<QemuCaps, ProbeError> {
    // Both at once: on a host without KVM the second run is thrown away, everywhere else half the time is won.
    let (full, translated) = tokio::join!(ask(binary, user, "kvm:tcg", true), ask(binary, user, "tcg", false));
    // A QEMU that cannot translate knows no such accelerator and ends at once; it can still be asked with the other.
    let full = match full {
        Err(ProbeError::Silent(_)) => ask(binary, user, "kvm", true).await?,
        full => full?,
    };
    let mut caps = full.caps(binary)?;
    let kvm = full.get("query-kvm").and_then(|it| it["enabled"].as_bool()).unwrap_or(false);
    if kvm {
        caps.cpus.insert(Accel::Kvm, full.cpus()?);
    }
    match translated {
        Ok(translated) => drop(caps.cpus.insert(Accel::Tcg, translated.cpus()?)),
        Err(ProbeError::Silent(_)) if kvm => {}
        Err(error) => return Err(error),
    }
    Ok(caps)
}

/// The second of the two expansions, where answers are told apart by command.
const ALL: &str = "query-cpu-model-expansion#all";

/// The questions of a full probe, in order; `true` marks those that both accelerators are asked.
fn questions(full: bool) -> Vec<(&'static str, Value)> {
    let mut asked = vec![
        ("qmp_capabilities", Value::Null),
        ("query-cpu-definitions", Value::Null),
        ("query-cpu-model-expansion", json!({"type": "full", "model": {"name": "max"}})),
        (
            ALL,
            json!({"type": "full", "model": {"name": "max", "props": {"migratable": false, "hv-passthrough": true}}}),
        ),
    ];
    if full {
        asked.extend(
            [
                "query-version",
                "query-target",
                "query-kvm",
                "query-machines",
                "query-tpm-models",
                "query-tpm-types",
                "query-command-line-options",
                "qom-list-types",
                "query-qmp-schema",
            ]
            .map(|command| (command, Value::Null)),
        );
        asked.extend(DEVICES_ASKED.iter().map(|it| ("device-list-properties", json!({"typename": it}))));
    }
    asked.push(("quit", Value::Null));
    asked
}

async fn ask(binary: &Path, user: Option<(u32, u32)>, accel: &str, full: bool) -> Result<Answers, ProbeError> {
    let asked = questions(full);
    let mut input = Vec::new();
    for (id, (command, arguments)) in asked.iter().enumerate() {
        let command = command.split_once('#').map_or(*command, |(name, _)| name);
        let mut line = json!({"execute": command, "id": id});
        if !arguments.is_null() {
            line["arguments"] = arguments.clone();
        }
        input.extend_from_slice(line.to_string().as_bytes());
        input.push(b'\n');
    }
    let mut spawn = Spawn::new(binary)
        .args(["-S", "-no-user-config", "-nodefaults", "-nographic"])
        .args(["-machine", &format!("none,accel={accel}"), "-qmp", "stdio"])
        .cwd("/");
    if let Some((uid, gid)) = user {
        spawn = spawn.uid_gid(uid, gid, &kvm_group());
    }
    let output = spawn.output_with_input(input, DEADLINE).await?;
    let answers = Answers::read(&asked, &output.stdout);
    if answers.by_command.is_empty() {
        return Err(ProbeError::Silent(output.last_error_line()));
    }
    Ok(answers)
}

/// The group that may open /dev/kvm, which QEMU's user is a member of in the distributions' packages.
fn kvm_group() -> Vec<u32> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/dev/kvm").map(|it| vec![it.gid()]).unwrap_or_default()
}

/// Successful answers by command; those to `device-list-properties` by device type.
struct Answers {
    by_command: HashMap<&'static str, Value>,
    properties: BTreeMap<String, BTreeSet<String>>,
}

impl Answers {
    fn read(asked: &[(&'static str, Value)], stdout: &[u8]) -> Self {
        let mut it = Self { by_command: HashMap::new(), properties: BTreeMap::new() };
        for line in stdout.split(|byte| *byte == b'\n') {
            let Ok(mut answer) = serde_json::from_slice::<Value>(line) else { continue };
            let id = answer["id"].as_u64().and_then(|id| usize::try_from(id).ok());
            let Some((command, arguments)) = id.and_then(|id| asked.get(id)) else { continue };
            let Some(value) = answer.get_mut("return").map(Value::take) else { continue };
            match arguments["typename"].as_str() {
                Some(device) => {
                    it.properties.insert(device.to_owned(), names(&value));
                }
                None => {
                    it.by_command.insert(command, value);
                }
            }
        }
        it
    }

    fn get(&self, command: &'static str) -> Option<&Value> {
        self.by_command.get(command)
    }

    fn need(&self, command: &'static str) -> Result<&Value, ProbeError> {
        self.get(command).ok_or(ProbeError::Answer { command, what: "none".to_owned() })
    }

    fn list(&self, command: &'static str) -> Result<&[Value], ProbeError> {
        let value = self.need(command)?;
        value.as_array().map(Vec::as_slice).ok_or(ProbeError::Answer { command, what: "not a list".to_owned() })
    }

    fn caps(&self, binary: &Path) -> Result<QemuCaps, ProbeError> {
        let version = self.need("query-version")?;
        let number = |name: &str| {
            let number = version["qemu"][name].as_u64().and_then(|it| u32::try_from(it).ok());
            number.ok_or(ProbeError::Answer { command: "query-version", what: format!("no {name} number") })
        };
        let parsed = Version { major: number("major")?, minor: number("minor")?, micro: number("micro")? };
        if parsed < Version::OLDEST {
            return Err(ProbeError::TooOld(parsed));
        }
        let target = self.need("query-target")?["arch"].as_str().unwrap_or_default();
        // QEMU's and libvirt's names of architectures differ in few places.
        let arch = match target {
            "i386" => "i686",
            "arm" => "armv7l",
            other => other,
        };
        let schema = self.list("query-qmp-schema")?;
        Ok(QemuCaps {
            binary: binary.to_owned(),
            version: parsed,
            package: version["package"].as_str().unwrap_or_default().to_owned(),
            arch: arch.to_owned(),
            machines: self.list("query-machines")?.iter().filter_map(machine).collect(),
            cpus: BTreeMap::new(),
            types: names(self.need("qom-list-types")?),
            properties: self.properties.clone(),
            options: options(self.list("query-command-line-options")?),
            schema: Schema::new(schema).flags(),
            tpm_models: texts(self.get("query-tpm-models")),
            tpm_backends: texts(self.get("query-tpm-types")),
        })
    }

    fn cpus(&self) -> Result<Cpus, ProbeError> {
        let models = self.list("query-cpu-definitions")?.iter().filter_map(cpu_model).collect();
        // Architectures without a `max` model answer with an error: they have no such list.
        let expanded = |question: &'static str| {
            let properties = self.get(question).and_then(|it| it["model"]["props"].as_object());
            properties.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Ok(Cpus { models, max: expanded("query-cpu-model-expansion"), all: expanded(ALL) })
    }
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).map(str::to_owned).collect()
}

fn texts(list: Option<&Value>) -> BTreeSet<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn machine(it: &Value) -> Option<MachineType> {
    let text = |name: &str| it[name].as_str().map(str::to_owned);
    let flag = |name: &str| it[name].as_bool().unwrap_or(false);
    Some(MachineType {
        name: text("name")?,
        alias: text("alias"),
        default: flag("is-default"),
        max_cpus: it["cpu-max"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
        hotpluggable_cpus: flag("hotpluggable-cpus"),
        deprecated: flag("deprecated"),
        default_cpu: text("default-cpu-type").map(|it| without_suffix(&it)),
        default_ram_id: text("default-ram-id"),
        acpi: it["acpi"].as_bool(),
        numa_mem: flag("numa-mem-supported"),
    })
}

/// `qemu64` of `qemu64-x86_64-cpu`.
fn without_suffix(type_name: &str) -> String {
    let stem = type_name.strip_suffix("-cpu").unwrap_or(type_name);
    ["-x86_64", "-i386", "-arm", "-s390x", "-riscv", "-ppc64", "-loongarch"]
        .iter()
        .find_map(|suffix| stem.strip_suffix(suffix))
        .unwrap_or(stem)
        .to_owned()
}

fn cpu_model(it: &Value) -> Option<CpuModel> {
    Some(CpuModel {
        name: it["name"].as_str()?.to_owned(),
        alias_of: it["alias-of"].as_str().map(str::to_owned),
        type_name: it["typename"].as_str().unwrap_or_default().to_owned(),
        unavailable: texts_in_order(&it["unavailable-features"]),
        deprecated: it["deprecated"].as_bool().unwrap_or(false),
    })
}

fn texts_in_order(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn options(list: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let named = list.iter().filter_map(|it| Some((it["option"].as_str()?.to_owned(), names(&it["parameters"]))));
    named.collect()
}

/// The QMP schema by type name, for following paths.
struct Schema<'a> {
    types: HashMap<&'a str, &'a Value>,
}

impl<'a> Schema<'a> {
    fn new(list: &'a [Value]) -> Self {
        Self { types: list.iter().filter_map(|it| Some((it["name"].as_str()?, it))).collect() }
    }

    fn flags(&self) -> BTreeSet<String> {
        let commands = self.types.values().filter(|it| it["meta-type"] == "command");
        let mut found: BTreeSet<String> =
            commands.filter_map(|it| Some(format!("command:{}", it["name"].as_str()?))).collect();
        found.extend(
            SCHEMA_FLAGS.iter().filter(|(_, path)| self.leads_somewhere(path)).map(|(flag, _)| (*flag).to_owned()),
        );
        found
    }

    fn leads_somewhere(&self, path: &str) -> bool {
        let mut steps = path.split('/');
        let first = steps.next().unwrap_or_default();
        let (name, side) = first.strip_prefix('<').map_or((first, "arg-type"), |name| (name, "ret-type"));
        let Some(command) = self.types.get(name) else { return false };
        let mut here = command[side].as_str();
        for step in steps {
            let Some(it) = here.and_then(|name| self.types.get(name)) else { return false };
            let find = |list: &str, key: &str, name: &str| {
                let mut members = it[list].as_array().into_iter().flatten();
                members.find(|member| member[key] == name).and_then(|member| member["type"].as_str())
            };
            here = if let Some(value) = step.strip_prefix('^') {
                let values = it["values"].as_array().into_iter().flatten();
                return values.into_iter().any(|it| it == value);
            } else if let Some(variant) = step.strip_prefix('+') {
                find("variants", "case", variant)
            } else {
                find("members", "name", step)
            };
        }
        here.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_paths_follow_members_variants_and_values() {
        let list = json!([
            {"name": "netdev_add", "meta-type": "command", "arg-type": "1"},
            {"name": "query-net", "meta-type": "command", "ret-type": "1"},
            {"name": "1", "meta-type": "object", "members": [{"name": "id", "type": "str"}],
             "variants": [{"case": "stream", "type": "2"}, {"case": "user", "type": "3"}]},
            {"name": "2", "meta-type": "object", "members": [{"name": "reconnect-ms", "type": "int"}]},
            {"name": "3", "meta-type": "object", "members": [{"name": "mode", "type": "4"}]},
            {"name": "4", "meta-type": "enum", "values": ["a", "b"]},
        ]);
        let schema = Schema::new(list.as_array().expect("a list"));
        for path in ["netdev_add/+user", "netdev_add/+stream/reconnect-ms", "netdev_add/+user/mode/^b", "netdev_add/id"]
        {
            assert!(schema.leads_somewhere(path), "{path}");
        }
        for path in ["netdev_del", "netdev_add/+tap", "netdev_add/+stream/mode", "netdev_add/+user/mode/^c"] {
            assert!(!schema.leads_somewhere(path), "{path}");
        }
        assert!(schema.leads_somewhere("<query-net/+stream"));
        assert!(schema.flags().contains("command:netdev_add"));
    }

    #[test]
    fn answers_without_an_id_or_with_an_error_are_passed_over() {
        let asked = [("query-version", Value::Null), ("query-kvm", Value::Null)];
        let text = b"{\"QMP\": {}}\nnoise\n{\"return\": 7, \"id\": 0}\n{\"error\": {}, \"id\": 1}\n{\"return\": 1, \"id\": 9}\n";
        let answers = Answers::read(&asked, text);
        assert_eq!(answers.get("query-version"), Some(&json!(7)));
        assert_eq!(answers.get("query-kvm"), None);
        assert_eq!(without_suffix("qemu64-x86_64-cpu"), "qemu64");
    }
}
