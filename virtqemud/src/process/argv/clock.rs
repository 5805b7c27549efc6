//! `-rtc` and what else keeps the guest's time.

use virtbus_schema::domain::clock::{Clock, ClockBasis, ClockOffset, TickPolicy, Timer, TimerName, TimerTrack};

use super::CommandLine;

fn timer(clock: &Clock, name: TimerName) -> Option<&Timer> {
    clock.timers.iter().rev().find(|it| it.name == name)
}

/// Writes the options. `now` is the time in seconds since the epoch.
pub(super) fn write(clock: &Clock, now: i64, line: &mut CommandLine) {
    let mut rtc = base(clock, now);
    if let Some(timer) = timer(clock, TimerName::Rtc) {
        match timer.track {
            Some(TimerTrack::Guest) => rtc.push_str(",clock=vm"),
            Some(TimerTrack::Wall) => rtc.push_str(",clock=host"),
            Some(TimerTrack::Realtime) => rtc.push_str(",clock=rt"),
            Some(TimerTrack::Boot) | None => {}
        }
        if timer.tickpolicy == Some(TickPolicy::Catchup) {
            rtc.push_str(",driftfix=slew");
        }
    }
    line.option("-rtc", rtc);
    if let Some(timer) = timer(clock, TimerName::Pit) {
        match timer.tickpolicy {
            Some(TickPolicy::Delay) | None => line.option("-global", "kvm-pit.lost_tick_policy=delay"),
            Some(TickPolicy::Discard) => line.option("-global", "kvm-pit.lost_tick_policy=discard"),
            Some(TickPolicy::Catchup | TickPolicy::Merge) => {}
        }
    }
}

fn base(clock: &Clock, now: i64) -> String {
    let adjusted = |seconds: i64| format!("base={}", iso(now.saturating_add(seconds)));
    match clock.offset {
        ClockOffset::Utc => "base=utc".to_owned(),
        ClockOffset::Localtime | ClockOffset::Timezone => "base=localtime".to_owned(),
        ClockOffset::Variable => {
            let seconds = clock.adjustment.as_deref().and_then(|it| it.parse().ok()).unwrap_or(0);
            // The host's zone is applied by whoever knows it; both bases count from here.
            match clock.basis {
                Some(ClockBasis::Localtime) | Some(ClockBasis::Utc) | None => adjusted(seconds),
            }
        }
        ClockOffset::Absolute => {
            let start = clock.start.and_then(|it| i64::try_from(it).ok()).unwrap_or(now);
            format!("base={}", iso(start))
        }
    }
}

/// `2026-11-21T10:00:00` in UTC (days from civil after Hinnant's public-domain algorithm, run backwards).
fn iso(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", time / 3_600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::iso(0), "1970-01-01T00:00:00");
        assert_eq!(super::iso(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(super::iso(1_795_259_085), "2026-11-21T11:04:45");
        assert_eq!(super::iso(-1), "1969-12-31T23:59:59");
    }
}
