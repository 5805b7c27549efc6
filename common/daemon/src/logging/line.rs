//! A log line in libvirt's format.
//!
//! Text that came from outside stays on its line: control characters in it are escaped.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::Event;
use tracing::field::{Field, Visit};

use super::Level;

/// `text fields [span fields]`, without time and place.
pub(super) fn of_event(event: &Event<'_>, spans: &str) -> String {
    let mut visitor = Fields::default();
    event.record(&mut visitor);
    let mut text = visitor.message;
    for part in [visitor.rest.as_str(), spans] {
        if !part.is_empty() {
            let _ = write!(text, " [{part}]");
        }
    }
    text
}

/// The whole line, with line end; `metadata` says from where, except for the banner.
pub(super) fn whole(now: SystemTime, level: Level, metadata: Option<&tracing::Metadata<'_>>, text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 96);
    let _ = write!(line, "{}: {}: {} : ", Timestamp(now), nix::unistd::gettid(), level.name());
    if let Some(metadata) = metadata {
        let module = metadata.target().rsplit("::").next().unwrap_or_default();
        let _ = write!(line, "{module}:{} : ", metadata.line().unwrap_or(0));
    }
    escape(text, &mut line);
    line.push('\n');
    line
}

fn escape(text: &str, line: &mut String) {
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// The fields of a span, as `name=value` words.
#[derive(Default)]
pub(super) struct SpanFields(String);

impl SpanFields {
    pub(super) fn of(attributes: &tracing::span::Attributes<'_>) -> Self {
        let mut visitor = Fields::default();
        attributes.record(&mut visitor);
        Self(visitor.rest)
    }

    pub(super) fn record(&mut self, values: &tracing::span::Record<'_>) {
        let mut visitor = Fields { rest: std::mem::take(&mut self.0), ..Fields::default() };
        values.record(&mut visitor);
        self.0 = visitor.rest;
    }
}

impl fmt::Display for SpanFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            if !self.rest.is_empty() {
                self.rest.push(' ');
            }
            let _ = write!(self.rest, "{}={value:?}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// A time as libvirt writes it: `2026-11-21 08:03:23.741+0000`, always UTC.
pub(super) struct Timestamp(pub(super) SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let millis = since.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}.{millis:03}+0000", second % 60)
    }
}

/// Year, month and day of a count of days since 1970-01-01 (Gregorian calendar; years are counted from March here, so that
/// the leap day is the last of its year).
fn civil(days: u64) -> (u64, u64, u64) {
    let since_era = days + 719_468;
    let (era, day_of_era) = (since_era / 146_097, since_era % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_libvirts() {
        let at = |seconds, millis| {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis);
            Timestamp(time).to_string()
        };
        assert_eq!(at(0, 0), "1970-01-01 00:00:00.000+0000");
        assert_eq!(at(951_782_400, 7), "2000-02-29 00:00:00.007+0000");
        assert_eq!(at(1_795_248_203, 741), "2026-11-21 08:03:23.741+0000");
        assert_eq!(at(4_107_542_399, 999), "2100-02-28 23:59:59.999+0000");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01 00:00:00.000+0000");
    }

    #[test]
    fn a_line_stays_a_line() {
        let mut line = String::new();
        escape("a\nb\u{1b}[31m\tc\u{0}", &mut line);
        assert_eq!(line, "a\\nb\\u{1b}[31m\tc\\u{0}");
    }
}
