//! Questions about everything: each daemon answers for its part, and the parts make one answer.
//!
//! A daemon that does not run has no part. The root's description is needed whole: clients in Python take the types of
//! arguments from it.

use std::collections::{HashMap, HashSet};

use zbus::{Message, OwnedObjectPath, OwnedVariant, message::Type};

/// What all daemons are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The description of the root.
    Introspect,
    /// All objects with their properties.
    ManagedObjects,
}

type Properties = HashMap<String, OwnedVariant>;
type Interfaces = HashMap<String, Properties>;
type Managed = HashMap<OwnedObjectPath, Interfaces>;

/// Answers on their way.
#[derive(Debug)]
pub(super) struct Gathering {
    call: Message,
    missing: usize,
    parts: Parts,
    refusal: Option<Message>,
}

/// What has come so far.
#[derive(Debug)]
enum Parts {
    /// Descriptions of the root.
    Texts(Vec<String>),
    /// Objects, by the unique name of their daemon.
    Objects(HashMap<String, Managed>),
}

impl Gathering {
    /// For a call that so many daemons have been asked.
    pub(super) fn new(call: Message, question: Question, daemons: usize) -> Self {
        let parts = match question {
            Question::Introspect => Parts::Texts(Vec::new()),
            Question::ManagedObjects => Parts::Objects(HashMap::new()),
        };
        Self { call, missing: daemons, parts, refusal: None }
    }

    /// Takes a daemon's answer; with the last one comes the answer to the call.
    pub(super) fn take(&mut self, reply: &Message) -> Option<zbus::Result<Message>> {
        if reply.message_type() == Type::Error {
            self.refusal = Some(reply.clone());
        } else if let Err(error) = self.parts.add(reply) {
            tracing::warn!(%error, "a daemon's part of an answer cannot be read");
        }
        self.missing = self.missing.saturating_sub(1);
        (self.missing == 0).then(|| self.answer())
    }

    /// Applies a signal that overtakes the answer to the part that it makes outdated.
    pub(super) fn overtaken_by(&mut self, signal: &Message) -> zbus::Result<()> {
        let header = signal.header();
        let Parts::Objects(parts) = &mut self.parts else { return Ok(()) };
        let Some(part) = header.sender().and_then(|it| parts.get_mut(it.as_str())) else { return Ok(()) };
        let body = signal.body();
        match header.member().map(|it| it.as_str()) {
            Some("InterfacesAdded") => {
                let (path, interfaces): (OwnedObjectPath, Interfaces) = body.deserialize()?;
                part.entry(path).or_default().extend(interfaces);
            }
            Some("InterfacesRemoved") => {
                let (path, interfaces): (OwnedObjectPath, Vec<String>) = body.deserialize()?;
                if let Some(known) = part.get_mut(&path) {
                    known.retain(|name, _| !interfaces.contains(name));
                    if known.is_empty() {
                        part.remove(&path);
                    }
                }
            }
            Some("PropertiesChanged") => {
                let (interface, changed, invalid): (String, Properties, Vec<String>) = body.deserialize()?;
                let object = header.path().and_then(|it| part.get_mut(it));
                if let Some(known) = object.and_then(|it| it.get_mut(&interface)) {
                    known.extend(changed);
                    known.retain(|name, _| !invalid.contains(name));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&self) -> zbus::Result<Message> {
        let call = self.call.header();
        if self.parts.are_none() {
            let text = self.refusal.as_ref().and_then(|it| it.body().deserialize::<String>().ok());
            let text = format!("none of the daemons answers: {}", text.unwrap_or_default());
            return Message::error(&call, super::LEGACY_ERROR).build(&text);
        }
        let answer = Message::method_return(&call);
        match &self.parts {
            Parts::Texts(texts) => answer.build(&merge(texts)),
            Parts::Objects(parts) => answer.build(&parts.values().flatten().collect::<HashMap<_, _>>()),
        }
    }
}

impl Parts {
    fn add(&mut self, reply: &Message) -> zbus::Result<()> {
        match self {
            Self::Texts(texts) => texts.push(reply.body().deserialize()?),
            Self::Objects(parts) => {
                let header = reply.header();
                let sender = header.sender().map_or("", |it| it.as_str());
                parts.insert(sender.to_owned(), reply.body().deserialize()?);
            }
        }
        Ok(())
    }

    fn are_none(&self) -> bool {
        match self {
            Self::Texts(texts) => texts.is_empty(),
            Self::Objects(parts) => parts.is_empty(),
        }
    }
}

/// One description of several. They are of our own daemons: a member of an interface begins at four spaces, an interface
/// and a child at two.
fn merge(texts: &[String]) -> String {
    let mut merged = String::new();
    let mut interfaces: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut children = Vec::new();
    for text in texts {
        let (head, body) = text.split_once("<node>\n").unwrap_or(("", text));
        if merged.is_empty() {
            merged = format!("{head}<node>\n");
        }
        for piece in pieces(body.trim_end().trim_end_matches("</node>"), "  <") {
            match piece.strip_suffix("  </interface>\n").and_then(|it| it.split_once('\n')) {
                Some((opening, members)) => {
                    let known = interfaces.iter_mut().find(|(it, _)| *it == opening);
                    let members = pieces(members, "    <");
                    match known {
                        Some((_, known)) => {
                            let names: HashSet<_> = known.iter().map(|it| first_line(it)).collect();
                            known.extend(members.into_iter().filter(|it| !names.contains(first_line(it))));
                        }
                        None => interfaces.push((opening, members)),
                    }
                }
                None if piece.trim_start().starts_with("<node") => children.push(piece),
                None => {}
            }
        }
    }
    for (opening, members) in interfaces {
        merged.extend([opening, "\n"]);
        merged.extend(members);
        merged.push_str("  </interface>\n");
    }
    merged.extend(children);
    merged.push_str("</node>\n");
    merged
}

/// What makes two members the same: the tag with their kind and name.
fn first_line(member: &str) -> &str {
    let is_tag = |it: &&str| it.starts_with("    <") && !it.starts_with("    <!");
    member.lines().find(is_tag).unwrap_or(member).trim_end_matches(['>', '/'])
}

/// The pieces of a text that begin with a line that starts so; a comment belongs to what comes behind it, and a closing tag
/// does not begin anything.
fn pieces<'t>(text: &'t str, start: &str) -> Vec<&'t str> {
    let mut found = Vec::new();
    let (mut begin, mut at, mut is_comment) = (None, 0, false);
    for line in text.split_inclusive('\n') {
        let tag = line.strip_prefix(start).filter(|it| !it.starts_with('/'));
        if let Some(tag) = tag {
            if !is_comment {
                if let Some(begin) = begin {
                    found.extend(text.get(begin..at));
                }
                begin = Some(at);
            }
            is_comment = tag.starts_with('!');
        }
        at += line.len();
    }
    if let Some(begin) = begin {
        found.extend(text.get(begin..));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overtakes_an_answer_is_in_it() {
        const MANAGER: &str = "org.freedesktop.DBus.ObjectManager";
        let path = |it: &str| OwnedObjectPath::try_from(format!("/org/libvirt/QEMU/x/{it}")).unwrap();
        let value = |it: u32| HashMap::from([("P".to_owned(), OwnedVariant::from(it))]);
        let interfaces = |it: u32| HashMap::from([("org.libvirt.X".to_owned(), value(it))]);
        let call = Message::method_call("/org/libvirt/QEMU", "GetManagedObjects").sender(":1.9");
        let call = call.build(&()).unwrap();
        let reply = |sender: &'static str, objects: Managed| {
            Message::method_return(&call.header()).sender(sender).build(&objects).unwrap()
        };
        let signal = |at: &str, interface: &'static str, member: &'static str| {
            Message::signal(at.to_owned(), interface, member).sender(":1.1")
        };
        let mut gathering = Gathering::new(call.clone(), Question::ManagedObjects, 2);
        let first = Managed::from([(path("a"), interfaces(1)), (path("b"), interfaces(1))]);
        assert!(gathering.take(&reply(":1.1", first)).is_none());
        let root = "/org/libvirt/QEMU";
        let removed = signal(root, MANAGER, "InterfacesRemoved").build(&(path("a"), vec!["org.libvirt.X"])).unwrap();
        let added = signal(root, MANAGER, "InterfacesAdded").build(&(path("c"), interfaces(3))).unwrap();
        let changed = signal(path("b").as_str(), "org.freedesktop.DBus.Properties", "PropertiesChanged");
        let changed = changed.build(&("org.libvirt.X", value(2), Vec::<&str>::new())).unwrap();
        for signal in [removed, added, changed] {
            gathering.overtaken_by(&signal).unwrap();
        }
        let answer = gathering.take(&reply(":1.2", Managed::from([(path("d"), interfaces(4))]))).unwrap().unwrap();
        let all: Managed = answer.body().deserialize().unwrap();
        let expected = [(path("b"), interfaces(2)), (path("c"), interfaces(3)), (path("d"), interfaces(4))];
        assert_eq!(all, Managed::from(expected));
    }

    #[test]
    fn descriptions_of_the_root_become_one() {
        let of = |members: &str, child: &str| {
            format!(
                "<!DOCTYPE node>\n<node>\n  <interface name=\"a.Standard\">\n    <method name=\"Ping\"/>\n  </interface>\n  \
                 <interface name=\"org.libvirt.Connect\">\n{members}  </interface>\n  <node name=\"{child}\"/>\n</node>\n"
            )
        };
        let one = of(
            "    <!--\n    Which it is.\n     -->\n    <property name=\"URI\" type=\"s\" access=\"read\"/>\n    \
             <method name=\"A\">\n      <arg type=\"s\"/>\n    </method>\n",
            "domain",
        );
        let other = of(
            "    <property name=\"URI\" type=\"s\" access=\"read\"/>\n    <method name=\"B\">\n    </method>\n",
            "network",
        );
        let merged = merge(&[one.clone(), other]);
        for (once, times) in [
            ("a.Standard", 1),
            ("Ping", 1),
            ("\"URI\"", 1),
            ("\"A\"", 1),
            ("\"B\"", 1),
            ("org.libvirt.Connect", 1),
            ("<node name=\"domain\"/>", 1),
            ("<node name=\"network\"/>", 1),
            ("</node>", 1),
            ("</interface>", 2),
        ] {
            assert_eq!(merged.matches(once).count(), times, "{once} in {merged}");
        }
        assert_eq!(merge(std::slice::from_ref(&one)), one);
    }
}
