//! Documents made from a declaration, for property tests and the fuzzer: whatever the types of a schema can say, said at random.
//!
//! [`targets`] lists every attribute, text and value that a type declares, in each of its forms. [`document`] makes a document that
//! holds one of them, with other parts beside it as chance has it, and has it read. What reading refuses it mends by what the error
//! says: a part that is missing is put in, a bad value is exchanged, a part that does not belong is left out. So it needs to know
//! nothing of any document, and an error that names the wrong place shows here as a target that is never reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::{Xml, from_str};
use crate::describe::{self, Describe, Occurs, Texts};
use crate::error::Error;
use crate::raw::{RawElement, RawPart};
use crate::writer::{FormatOptions, Writer};

/// How often a document is mended before it is given up.
const REPAIRS: usize = 40;
/// Elements nest no deeper than this by chance.
const MAX_DEPTH: usize = 14;
/// So many elements and attributes are in a document by chance.
const MAX_PARTS: usize = 150;

/// A part that a type declares, in one of the forms it occurs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it stands, as `domain/devices/disk/target/@bus`.
    pub path: String,
    /// Which of its listed values.
    pub value: Option<&'static str>,
    /// The forms that lead to it: the place of the attribute that chooses, and the number of the form.
    forms: Vec<(String, usize)>,
}

/// All that a type declares.
#[must_use]
pub fn targets<T: Xml>(root: &str) -> Vec<Target> {
    let mut collector = Collector::default();
    describe::child::<T>(&mut collector, root);
    collector.found
}

#[derive(Default)]
struct Collector {
    steps: Vec<&'static str>,
    names: Vec<String>,
    forms: Vec<(String, usize)>,
    found: Vec<Target>,
}

impl Collector {
    fn add(&mut self, path: &str, listed: &[&'static str]) {
        let target = |value| Target { path: path.to_owned(), value, forms: self.forms.clone() };
        if listed.is_empty() {
            self.found.push(target(None));
        }
        self.found.extend(listed.iter().map(|it| target(Some(*it))));
    }
}

impl Describe for Collector {
    fn attr(&mut self, name: &str, texts: Texts) {
        self.add(&format!("{}/@{name}", self.names.join("/")), texts.listed);
    }

    fn text(&mut self, texts: Texts) {
        self.add(&self.names.join("/"), texts.listed);
    }

    fn open(&mut self, name: &str, type_name: &'static str, _: Occurs) -> bool {
        let fresh = type_name.is_empty() || !self.steps.contains(&type_name);
        self.steps.push(type_name);
        self.names.push(name.to_owned());
        self.add(&self.names.join("/"), &[]);
        fresh
    }

    fn close(&mut self) {
        self.steps.pop();
        self.names.pop();
    }

    fn raw(&mut self, _: &str) {}

    fn choose(&mut self, attr: &str, _: &'static [&'static str]) {
        self.forms.push((format!("{}/@{attr}", self.names.join("/")), 0));
    }

    fn form(&mut self, number: usize) -> bool {
        if let Some(form) = self.forms.last_mut() {
            form.1 = number;
            // A form without parts of its own is a target, too.
            let path = form.0.clone();
            self.add(&path, &[]);
        }
        true
    }

    fn chosen(&mut self) {
        self.forms.pop();
    }
}

/// A document that was never read, and what reading it said at last.
#[derive(Debug)]
pub struct Refused {
    /// The last error.
    pub error: Error,
    /// The last document.
    pub text: String,
}

/// Makes a document that holds the target, and reads it. `chances` decide what else is in it: few or small ones make a small document.
///
/// # Errors
/// The document is refused however it is mended.
pub fn document<T: Xml>(root: &str, target: Option<&Target>, chances: &[u32]) -> Result<(T, String), Box<Refused>> {
    let mut mending = Mending::default();
    let mut round = 0;
    loop {
        let made = Maker::make::<T>(root, target, chances, &mending);
        match from_str::<T>(&made.text, root) {
            Ok(value) => return Ok((value, made.text)),
            Err(error) if round == REPAIRS || !mending.mend(&error, &made, target) => {
                return Err(Box::new(Refused { error, text: made.text }));
            }
            Err(_) => round += 1,
        }
    }
}

/// What was learnt of a document by reading it.
#[derive(Default)]
struct Mending {
    wanted: BTreeSet<String>,
    unwanted: BTreeSet<String>,
    /// How often the value at a place was exchanged.
    exchanged: BTreeMap<String, usize>,
    /// Elements that hold nothing but what they must.
    plain: BTreeSet<String>,
    /// What errors at a place speak of: the value that is right may be among it.
    words: BTreeMap<String, BTreeSet<String>>,
}

impl Mending {
    /// Takes a refusal into account; `false` when nothing is left to try.
    fn mend(&mut self, error: &Error, made: &Made, target: Option<&Target>) -> bool {
        let path = without_numbers(&error.path);
        let leads = |path: &str| target.is_some_and(|it| is_at_or_above(path, &it.path));
        let Some(texts) = made.places.get(&path) else {
            // What is not there is missing, whatever the words are.
            let mut changed = self.unwanted.remove(&path) | self.wanted.insert(path.clone());
            for part in made.declared_at(&path) {
                changed |= self.unwanted.remove(part) | self.wanted.insert(part.to_owned());
            }
            return changed;
        };
        let named = self.listen(error, &path, made);
        if *texts > 0 {
            let fixed = target.is_some_and(|it| it.path == path && it.value.is_some());
            let is_new = !fixed && self.exchange(&path, 3 * *texts);
            return is_new || (!leads(&path) && self.unwanted.insert(path));
        }
        // A part that is named is missing if it is not there; else it is what should not be, or not be so.
        let mut changed = false;
        for part in named {
            changed |= match made.places.get(&part) {
                None => self.unwanted.remove(&part) | self.wanted.insert(part),
                Some(_) if !leads(&part) && self.unwanted.insert(part.clone()) => true,
                Some(texts) => *texts > 0 && self.exchange(&part, *texts),
            };
        }
        changed |= self.exchanged.get(&path).is_none_or(|it| *it < 5) && self.plain.insert(path.clone());
        changed |= !leads(&path) && self.unwanted.insert(path.clone());
        // What contradicts what is not said: other values may agree, or other parts beside it.
        if self.exchange(&path, REPAIRS / 2) && self.exchanged.get(&path).is_some_and(|it| *it == 5) {
            self.plain.remove(&path);
        }
        changed | self.exchanged.get(&path).is_some_and(|it| *it < REPAIRS / 2)
    }

    /// Notes the words of an error, and finds the parts of the element that it names.
    fn listen(&mut self, error: &Error, path: &str, made: &Made) -> Vec<String> {
        let said = error.hint.as_deref().unwrap_or(&error.message);
        let is_part_of_word = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        let words = said.split(|c| !is_part_of_word(c)).filter(|it| !it.is_empty() && !FILLERS.contains(it));
        let mut named = Vec::new();
        for word in words {
            self.words.entry(path.to_owned()).or_default().insert(word.to_owned());
            for part in [format!("{path}/{word}"), format!("{path}/@{word}")] {
                named.extend(made.declared_at(&part).map(str::to_owned));
            }
        }
        named
    }

    fn exchange(&mut self, path: &str, most: usize) -> bool {
        let exchanged = self.exchanged.entry(path.to_owned()).or_default();
        *exchanged += 1;
        *exchanged < most
    }
}

/// Words of which errors are made, and which are no way out.
#[rustfmt::skip]
const FILLERS: &[&str] = &[
    "a", "an", "and", "are", "but", "by", "does", "expected", "for", "has", "have", "here", "in", "is", "it", "its", "must", "needs",
    "no", "not", "of", "on", "one", "only", "or", "that", "the", "there", "this", "to", "too", "with", "without",
];

fn without_numbers(path: &str) -> String {
    path.split('/').map(|it| it.split('[').next().unwrap_or(it)).collect::<Vec<_>>().join("/")
}

fn is_at_or_above(path: &str, of: &str) -> bool {
    of.strip_prefix(path).is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

struct Made {
    text: String,
    /// The places that could have been in the text.
    declared: BTreeSet<String>,
    /// The places that are in the text, and how many texts each has to choose from.
    places: BTreeMap<String, usize>,
}

impl Made {
    /// The part of this place, or those it leads to.
    fn declared_at<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a str> {
        self.declared.range(place.to_owned()..).take_while(move |it| it.starts_with(place)).filter_map(move |it| {
            let leads = it.get(place.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with("/@"));
            leads.then_some(it.as_str())
        })
    }
}

/// Describing a type to it makes a document.
struct Maker<'c> {
    chances: &'c [u32],
    /// How often chance decided at a place.
    asked: BTreeMap<String, usize>,
    declared: BTreeSet<String>,
    target: Option<&'c Target>,
    mending: &'c Mending,
    path: String,
    open: Vec<RawElement>,
    /// Whether an open element is left out if it holds nothing.
    left_out: Vec<bool>,
    /// Forms being described: the one that is meant.
    forms: Vec<usize>,
    places: BTreeMap<String, usize>,
    /// How many parts chance put in.
    parts: usize,
    root: Option<RawElement>,
}

impl<'c> Maker<'c> {
    fn make<T: Xml>(root: &str, target: Option<&'c Target>, chances: &'c [u32], mending: &'c Mending) -> Made {
        let mut maker = Self {
            chances,
            asked: BTreeMap::new(),
            declared: BTreeSet::new(),
            target,
            mending,
            path: String::new(),
            open: Vec::new(),
            left_out: Vec::new(),
            forms: Vec::new(),
            places: BTreeMap::new(),
            parts: 0,
            root: None,
        };
        describe::child::<T>(&mut maker, root);
        let mut w = Writer::new(FormatOptions::default());
        maker.root.unwrap_or_default().put(&mut w);
        Made { text: w.finish(), declared: maker.declared, places: maker.places }
    }

    /// What chance has for a place: the same however the document around it is mended.
    fn chance(&mut self, place: &str) -> usize {
        let asked = self.asked.entry(place.to_owned()).or_default();
        *asked += 1;
        let bytes = place.bytes().chain(asked.to_le_bytes());
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let index = usize::try_from(hash >> 16).unwrap_or(0) % self.chances.len().max(1);
        self.chances.get(index).copied().unwrap_or(0) as usize
    }

    fn place(&self, name: &str) -> String {
        if name.is_empty() { self.path.clone() } else { format!("{}/{name}", self.path) }
    }

    fn is_aimed_at(&self, place: &str) -> bool {
        self.target.is_some_and(|it| is_at_or_above(place, &it.path))
            || self.mending.wanted.iter().any(|it| is_at_or_above(place, it))
    }

    /// One of so many, at a place: another one each time it is exchanged.
    fn pick(&mut self, place: &str, count: usize) -> usize {
        let own = self.mending.exchanged.get(place).copied().unwrap_or(0);
        // A value that was refused gives way to the plainest one.
        let first = if own > 0 { own - 1 } else { self.chance(place) };
        (first + self.exchanged(place) - own) % count.max(1)
    }

    /// How often values at or above a place were exchanged.
    fn exchanged(&self, place: &str) -> usize {
        self.mending.exchanged.iter().filter(|(it, _)| is_at_or_above(it, place)).map(|it| it.1).sum()
    }

    fn value(&mut self, place: &str, texts: Texts) -> String {
        let list = if texts.listed.is_empty() { texts.samples } else { texts.listed };
        let said = self.mending.words.iter().filter(|(it, _)| texts.is_free && is_at_or_above(it, place));
        let (plain, odd) = list.split_at(list.len().min(2));
        let said = said.flat_map(|(_, words)| words).map(String::as_str);
        let list: Vec<&str> = plain.iter().copied().chain(said).chain(odd.iter().copied()).collect();
        self.places.insert(place.to_owned(), list.len());
        let picked = self.pick(place, list.len());
        let wanted = self.target.filter(|it| it.path == place).and_then(|it| it.value);
        wanted.or_else(|| list.get(picked).copied()).unwrap_or("1").to_owned()
    }
}

impl Describe for Maker<'_> {
    fn attr(&mut self, name: &str, texts: Texts) {
        let place = self.place(&format!("@{name}"));
        let is_there = |it: &RawElement| it.attrs.iter().any(|(known, _)| known == name);
        if self.open.last().is_some_and(is_there) {
            return;
        }
        let value = self.value(&place, texts);
        if let Some(element) = self.open.last_mut() {
            element.attrs.push((name.to_owned(), value));
        }
    }

    fn text(&mut self, texts: Texts) {
        let place = self.place("");
        if self.open.last().is_some_and(|it| it.parts.is_empty()) {
            let value = self.value(&place, texts);
            if let Some(element) = self.open.last_mut().filter(|_| !value.is_empty()) {
                element.parts.push(RawPart::Text(value));
            }
        }
    }

    fn open(&mut self, name: &str, type_name: &'static str, occurs: Occurs) -> bool {
        let name = declared(name);
        let is_twin = |it: &RawPart| matches!(it, RawPart::Element(it) if it.name == name.0);
        // Parts that are declared one by one may stand on one element.
        let twin = self.open.last_mut().filter(|_| occurs != Occurs::Any).and_then(|it| {
            let at = it.parts.iter().position(is_twin)?;
            Some(it.parts.remove(at))
        });
        let fresh = || RawElement { name: name.0.clone(), attrs: name.1.clone(), parts: Vec::new() };
        self.open.push(match twin {
            Some(RawPart::Element(it)) => it,
            _ => fresh(),
        });
        if !self.path.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(&name.0);
        self.places.entry(self.path.clone()).or_insert(0);
        let is_meant = self.target.is_some_and(|it| it.path == self.path) || self.mending.wanted.contains(&self.path);
        self.left_out.push(!type_name.is_empty() && occurs != Occurs::Once && !is_meant);
        self.open.len() <= 4 * MAX_DEPTH
    }

    fn close(&mut self) {
        let leave_out = self.left_out.pop().unwrap_or(false);
        self.path.truncate(self.path.rfind('/').unwrap_or(0));
        let Some(element) = self.open.pop() else { return };
        // What holds nothing says nothing, mostly.
        let is_empty = element.attrs.is_empty() && element.parts.is_empty();
        if is_empty && leave_out {
            return;
        }
        match self.open.last_mut() {
            Some(parent) => parent.parts.push(RawPart::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn raw(&mut self, _: &str) {
        let text = RawPart::Text("ünï <&>\"' \u{a0}".to_owned());
        let inside = RawElement {
            name: "v:b".to_owned(),
            attrs: vec![("c".to_owned(), "\t'\"&".to_owned())],
            parts: vec![text],
        };
        let declaration = vec![("xmlns:v".to_owned(), "urn:of:nobody".to_owned())];
        let element = RawElement { name: "v:a".to_owned(), attrs: declaration, parts: vec![RawPart::Element(inside)] };
        let place = self.place("*");
        if self.chance(&place) % 2 == 1
            && let Some(parent) = self.open.last_mut()
        {
            parent.parts.push(RawPart::Element(element));
        }
    }

    fn times(&mut self, place: &str, occurs: Occurs) -> usize {
        let place = self.place(place);
        self.declared.insert(place.clone());
        let aimed = self.is_aimed_at(&place);
        if occurs == Occurs::Once {
            return 1;
        }
        if self.mending.unwanted.contains(&place) {
            return 0;
        }
        let chance = self.chance(&place) + self.exchanged(&place);
        let is_plain = self.mending.plain.iter().any(|it| is_at_or_above(it, &place));
        let near = self.target.is_some_and(|it| in_common(&it.path, &place) >= it.path.matches('/').count().min(3));
        let rarity = if is_plain || self.open.len() > MAX_DEPTH {
            usize::MAX
        } else if near {
            3
        } else {
            12
        };
        let by_chance = chance % rarity == 1 && self.parts < MAX_PARTS;
        self.parts += usize::from(by_chance);
        match occurs {
            Occurs::Any if by_chance => 1 + chance / 16 % 3,
            _ => usize::from(by_chance || aimed),
        }
    }

    fn choose(&mut self, attr: &str, forms: &'static [&'static str]) {
        let place = self.place(&format!("@{attr}"));
        self.declared.insert(place.clone());
        self.places.insert(place.clone(), forms.len());
        let picked = self.pick(&place, forms.len());
        let aimed = self.target.and_then(|it| it.forms.iter().find(|(at, _)| *at == place));
        let value = self.target.filter(|it| it.path == place).and_then(|it| it.value);
        let valued = value.and_then(|it| forms.iter().position(|form| *form == it));
        let number = aimed.map(|it| it.1).or(valued).unwrap_or(picked);
        self.forms.push(number);
        let form = forms.get(number).copied().unwrap_or_default();
        let Some(element) = self.open.last_mut() else { return };
        element.attrs.retain(|(name, _)| name != attr);
        element.attrs.push((attr.to_owned(), form.to_owned()));
    }

    fn form(&mut self, number: usize) -> bool {
        self.forms.last() == Some(&number)
    }

    fn chosen(&mut self) {
        self.forms.pop();
    }
}

/// How many steps two paths have in common.
fn in_common(one: &str, other: &str) -> usize {
    one.split('/').zip(other.split('/')).take_while(|(a, b)| a == b).count()
}

/// The name an element is written with, and the declaration its prefix needs.
fn declared(name: &str) -> (String, Vec<(String, String)>) {
    let (prefix, _) = crate::names::split(name);
    let uri = crate::names::namespace_of(prefix);
    let declaration = uri.map(|uri| (format!("xmlns:{prefix}"), uri.to_owned()));
    (name.to_owned(), declaration.into_iter().collect())
}
