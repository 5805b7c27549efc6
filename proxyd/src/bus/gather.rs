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

/// Path, interface, property.
type Managed = HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>>;

/// Answers on their way.
#[derive(Debug)]
pub(super) struct Gathering {
    call: Message,
    question: Question,
    missing: usize,
    parts: Vec<Message>,
    refusal: Option<Message>,
}

impl Gathering {
    /// For a call that so many daemons have been asked.
    pub(super) fn new(call: Message, question: Question, daemons: usize) -> Self {
        Self { call, question, missing: daemons, parts: Vec::new(), refusal: None }
    }

    /// Takes a daemon's answer; with the last one comes the answer to the call.
    pub(super) fn take(&mut self, reply: &Message) -> Option<zbus::Result<Message>> {
        match reply.message_type() {
            Type::Error => self.refusal = Some(reply.clone()),
            _ => self.parts.push(reply.clone()),
        }
        self.missing = self.missing.saturating_sub(1);
        (self.missing == 0).then(|| self.answer())
    }

    fn answer(&self) -> zbus::Result<Message> {
        let call = self.call.header();
        if self.parts.is_empty() {
            let text = self.refusal.as_ref().and_then(|it| it.body().deserialize::<String>().ok());
            let text = format!("none of the daemons answers: {}", text.unwrap_or_default());
            return Message::error(&call, super::LEGACY_ERROR).build(&text);
        }
        let answer = Message::method_return(&call);
        match self.question {
            Question::Introspect => {
                let texts = self.parts.iter().map(|it| it.body().deserialize::<String>());
                answer.build(&merge(&texts.collect::<zbus::Result<Vec<_>>>()?))
            }
            Question::ManagedObjects => {
                let mut all = Managed::new();
                for part in &self.parts {
                    all.extend(part.body().deserialize::<Managed>()?);
                }
                answer.build(&all)
            }
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
