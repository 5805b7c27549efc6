//! `<clock>`: what time the guest starts with and which timers it has.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

/// `<clock offset='utc'>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = Clock::check, form = Clock::form)]
pub struct Clock {
    #[xml(attr, default = ClockOffset::Utc, fault = Unsupported, blank, must)]
    pub offset: ClockOffset,
    /// Seconds, or `reset`.
    #[xml(attr, form = crate::forms::adjustment, blank)]
    pub adjustment: Option<String>,
    #[xml(attr, lenient)]
    pub basis: Option<ClockBasis>,
    #[xml(attr, form = crate::forms::timezone, blank)]
    pub timezone: Option<String>,
    /// Seconds since the epoch, for an absolute clock.
    #[xml(attr, lenient)]
    pub start: Option<u64>,
    #[xml(children = "timer")]
    pub timers: Vec<Timer>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            offset: ClockOffset::Utc,
            adjustment: None,
            basis: None,
            timezone: None,
            start: None,
            timers: Vec::new(),
        }
    }
}

impl Clock {
    /// Keeps what belongs to the offset, in the reference's normal form.
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        let said = |name: &str| node.attr(name).filter(|it| !it.value().is_empty());
        match self.offset {
            ClockOffset::Utc | ClockOffset::Localtime => {
                let unknown = |it: &String| it != "reset" && seconds(Some(it)).is_none();
                if let Some(text) = self.adjustment.as_ref().filter(|it| unknown(it)) {
                    return Err(node.error(ErrorKind::BadValue, format!("'{text}' is neither 'reset' nor seconds")));
                }
                self.complete_fixed();
            }
            ClockOffset::Variable if self.basis.is_none() && said("basis").is_some() => {
                return Err(node.error(ErrorKind::Unsupported, "the basis is neither 'utc' nor 'localtime'"));
            }
            ClockOffset::Variable => {
                self.adjustment = Some(seconds(self.adjustment.as_deref()).unwrap_or(0).to_string());
                self.basis = self.basis.or(Some(ClockBasis::Utc));
            }
            ClockOffset::Timezone if self.timezone.is_none() => {
                return Err(node.error(ErrorKind::Internal, "a clock of a time zone needs a timezone"));
            }
            ClockOffset::Absolute if self.start.is_none() => {
                return Err(node.error(ErrorKind::Internal, "an absolute clock needs a start"));
            }
            ClockOffset::Timezone | ClockOffset::Absolute => (self.adjustment, self.basis) = (None, None),
        }
        if self.offset != ClockOffset::Timezone {
            self.timezone = None;
        }
        if self.offset != ClockOffset::Absolute {
            self.start = None;
        }
        Ok(())
    }

    /// Each offset has attributes of its own.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let offset = node.attr("offset").map(|it| it.value()).unwrap_or_default();
        let (own, needed): (&[&str], _) = match offset {
            "timezone" => (&["timezone"], None),
            "variable" => (&["adjustment", "basis"], None),
            "absolute" => (&["start"], Some("start")),
            _ => (&["adjustment"], None),
        };
        let all = ["adjustment", "basis", "timezone", "start"];
        if let Some(stray) = all.into_iter().find(|it| !own.contains(it) && node.attr(it).is_some()) {
            return Err(
                node.error(ErrorKind::Unknown, format!("'{stray}' is not for clocks with the offset '{offset}'"))
            );
        }
        if offset == "variable" && node.attr("adjustment").is_some_and(|it| it.value() == "reset") {
            return Err(node.error(ErrorKind::Unknown, "a variable clock is not reset"));
        }
        match needed.filter(|it| node.attr(it).is_none()) {
            Some(needed) => Err(node.missing(&format!("@{needed}"))),
            None => Ok(()),
        }
    }

    /// A fixed offset with an adjustment in seconds is a variable one on that basis.
    fn complete_fixed(&mut self) {
        let basis = if self.offset == ClockOffset::Utc { ClockBasis::Utc } else { ClockBasis::Localtime };
        self.basis = None;
        if self.adjustment.as_deref() == Some("reset") {
            return;
        }
        self.adjustment = seconds(self.adjustment.as_deref()).map(|it| it.to_string());
        if self.adjustment.is_some() {
            self.offset = ClockOffset::Variable;
            self.basis = Some(basis);
        }
    }
}

fn seconds(text: Option<&str>) -> Option<i64> {
    text.and_then(|it| it.trim_start().parse().ok())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum ClockOffset {
    Utc,
    Localtime,
    Variable,
    Timezone,
    Absolute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum ClockBasis {
    Utc,
    Localtime,
}

/// `<timer name='rtc' tickpolicy='catchup'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
#[xml(check = Timer::check, form = Timer::form)]
pub struct Timer {
    #[xml(attr)]
    pub name: TimerName,
    #[xml(attr)]
    pub present: Option<YesNo>,
    #[xml(attr)]
    pub tickpolicy: Option<TickPolicy>,
    #[xml(attr)]
    pub track: Option<TimerTrack>,
    /// In hertz, for the TSC.
    #[xml(attr)]
    pub frequency: Option<u64>,
    #[xml(attr)]
    pub mode: Option<TimerMode>,
    #[xml(child)]
    pub catchup: Option<Catchup>,
}

impl Timer {
    fn check(&mut self, node: Node<'_>) -> Result<(), Error> {
        self.frequency = self.frequency.filter(|it| *it > 0);
        if self.catchup.is_some() && self.tickpolicy != Some(TickPolicy::Catchup) {
            return Err(node.error(ErrorKind::BadValue, "<catchup> is only for tickpolicy='catchup'"));
        }
        let nothing = |it: u32| it == 0;
        if let Some(it) = &mut self.catchup {
            for number in [&mut it.threshold, &mut it.slew, &mut it.limit] {
                *number = number.filter(|it| !nothing(*it));
            }
        }
        self.catchup = self.catchup.filter(|it| *it != Catchup::default());
        Ok(())
    }

    /// Which attributes a timer of each name has.
    fn form(node: Node<'_>) -> Result<(), Error> {
        let name = node.attr("name").map(|it| it.value()).unwrap_or_default();
        let foreign: &[&str] = match name {
            "platform" | "rtc" => &["frequency", "mode"],
            "tsc" => &["track"],
            "kvmclock" | "hypervclock" => &["track", "frequency", "mode", "tickpolicy"],
            _ => &["track", "frequency", "mode"],
        };
        if node.child("catchup").is_some() && node.attr("tickpolicy").is_none_or(|it| it.value() != "catchup") {
            return Err(node.error(ErrorKind::Unknown, "<catchup> is only for tickpolicy='catchup'"));
        }
        match foreign.iter().find(|it| node.attr(it).is_some()) {
            Some(stray) => Err(node.error(ErrorKind::Unknown, format!("'{stray}' is not for a timer called '{name}'"))),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum TimerName {
    Platform,
    Pit,
    Rtc,
    Hpet,
    Tsc,
    Kvmclock,
    Hypervclock,
    Armvtimer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum TickPolicy {
    Delay,
    Catchup,
    Merge,
    Discard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum TimerTrack {
    Boot,
    Guest,
    Wall,
    Realtime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, XmlEnum)]
pub enum TimerMode {
    Auto,
    Native,
    Emulate,
    Paravirt,
    Smpsafe,
}

/// `<catchup threshold='123' slew='120' limit='10000'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Catchup {
    #[xml(attr)]
    pub threshold: Option<u32>,
    #[xml(attr)]
    pub slew: Option<u32>,
    #[xml(attr)]
    pub limit: Option<u32>,
}
