//! `<cpu>` of the domain capabilities: the modes, what `host-model` would be, and which named models can be used.

use virtbus_xml::{Describe, Error, ErrorKind, Node, Occurs, Texts, Writer, Xml, XmlEnum, YesNo, decode, describe};

use super::Choice;
use crate::domain::cpu::{CpuFeature, CpuModel, MaxPhysAddr};

/// `<cpu>`: one `<mode>` each, in this order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CpuModes {
    /// The host's CPU as it is; its choices.
    pub host_passthrough: Option<Vec<Choice>>,
    /// All that the emulator can give; its choices.
    pub maximum: Option<Vec<Choice>>,
    /// The nearest model, with what differs.
    pub host_model: Option<HostModel>,
    /// The models by name.
    pub custom: Option<CustomCpu>,
}

/// By hand: the modes share an element name and differ in content.
impl Xml for CpuModes {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let mut modes = Self::default();
        for mode in node.children("mode") {
            let supported: YesNo = decode::attr(mode, &[], "supported", ErrorKind::BadValue)?;
            if !supported.is_on() {
                continue;
            }
            let name = mode.attr("name").ok_or_else(|| mode.missing("@name"))?;
            match name.value() {
                "host-passthrough" => modes.host_passthrough = Some(choices(mode)?),
                "maximum" => modes.maximum = Some(choices(mode)?),
                "host-model" => modes.host_model = Some(HostModel::read(mode)?),
                "custom" => modes.custom = Some(CustomCpu::read(mode)?),
                _ => return Err(name.error(ErrorKind::BadValue, "unknown CPU mode")),
            }
        }
        Ok(modes)
    }

    fn write_attrs(&self, _: &mut Writer) {}

    fn write_content(&self, w: &mut Writer) {
        let Self { host_passthrough, maximum, host_model, custom } = self;
        mode("host-passthrough", host_passthrough.as_ref(), w, write_choices);
        mode("maximum", maximum.as_ref(), w, write_choices);
        mode("host-model", host_model.as_ref(), w, HostModel::write_content);
        mode("custom", custom.as_ref(), w, CustomCpu::write_content);
    }

    fn describe(to: &mut dyn Describe) {
        const MODES: &[&str] = &["host-passthrough", "maximum", "host-model", "custom"];
        for _ in 0..to.times("mode", Occurs::Any) {
            to.open("mode", "mode", Occurs::Any);
            to.choose("name", MODES);
            to.attr("supported", Texts::of::<YesNo>());
            for number in 0..MODES.len() {
                if to.form(number) {
                    match number {
                        0 | 1 => describe::children::<Choice>(to, "enum"),
                        2 => HostModel::describe(to),
                        _ => CustomCpu::describe(to),
                    }
                }
            }
            to.chosen();
            to.close();
        }
    }
}

fn choices(mode: Node<'_>) -> Result<Vec<Choice>, Error> {
    decode::children(mode, &[], "enum", ErrorKind::BadValue)
}

// A `Vec` by reference: it is called through `Option::as_ref`.
#[allow(clippy::ptr_arg)]
fn write_choices(choices: &Vec<Choice>, w: &mut Writer) {
    for choice in choices {
        choice.write("enum", w);
    }
}

fn mode<T>(name: &str, content: Option<&T>, w: &mut Writer, write: impl FnOnce(&T, &mut Writer)) {
    w.start("mode");
    w.attr_str("name", name);
    w.attr("supported", &YesNo::from(content.is_some()));
    if let Some(content) = content {
        write(content, w);
    }
    w.end("mode");
}

/// What a guest with `<cpu mode='host-model'/>` would get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct HostModel {
    #[xml(child)]
    pub model: Option<CpuModel>,
    #[xml(child)]
    pub vendor: Option<String>,
    #[xml(child)]
    pub maxphysaddr: Option<MaxPhysAddr>,
    #[xml(children = "feature")]
    pub features: Vec<CpuFeature>,
}

/// The named models, each followed by what keeps it from running.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomCpu {
    /// In the order they are written.
    pub parts: Vec<CustomPart>,
}

/// A model with its blockers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomPart {
    /// The model.
    pub model: CustomModel,
    /// The features that keep it from running here.
    pub blockers: Vec<String>,
}

/// By hand: models and their blockers take turns.
impl Xml for CustomCpu {
    fn read(node: Node<'_>) -> Result<Self, Error> {
        let mut parts: Vec<CustomPart> = Vec::new();
        for model in node.children("model") {
            parts.push(CustomPart { model: CustomModel::read(model)?, blockers: Vec::new() });
        }
        for found in node.children("blockers") {
            let found = Blockers::read(found)?;
            if let Some(part) = parts.iter_mut().find(|it| it.model.name == found.model) {
                part.blockers = found.features.into_iter().map(|it| it.name).collect();
            }
        }
        Ok(Self { parts })
    }

    fn write_attrs(&self, _: &mut Writer) {}

    fn write_content(&self, w: &mut Writer) {
        for CustomPart { model, blockers } in &self.parts {
            model.write("model", w);
            if !blockers.is_empty() {
                let features = blockers.iter().map(|it| Blocker { name: it.clone() }).collect();
                Blockers { model: model.name.clone(), features }.write("blockers", w);
            }
        }
    }

    fn describe(to: &mut dyn Describe) {
        describe::children::<CustomModel>(to, "model");
        describe::children::<Blockers>(to, "blockers");
    }
}

/// `<model usable='no' vendor='Intel' canonical='Broadwell-v1'>Broadwell</model>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CustomModel {
    #[xml(attr, default)]
    pub usable: Usable,
    #[xml(attr)]
    pub deprecated: Option<YesNo>,
    /// As the CPU map has it, `unknown` where it has none.
    #[xml(attr)]
    pub vendor: Option<String>,
    /// The version an unversioned name stands for.
    #[xml(attr)]
    pub canonical: Option<String>,
    #[xml(text)]
    pub name: String,
}

/// Whether a model runs on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, XmlEnum)]
pub enum Usable {
    Yes,
    No,
    #[default]
    Unknown,
}

/// `<blockers model='Broadwell'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Blockers {
    #[xml(attr)]
    pub model: String,
    #[xml(children = "feature")]
    pub features: Vec<Blocker>,
}

/// `<feature name='pcid'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Blocker {
    #[xml(attr)]
    pub name: String,
}
