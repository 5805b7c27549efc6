//! Many defined domains: how long one more takes, a list of all, and the daemon's start; and what they weigh.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use virtbus_proto::table::domain::{ConnectListAllDomains, DomainDefineXml};

use super::report::Report;
use super::side::Side;
use crate::client::Client;

const COUNTS: [usize; 2] = [1000, 5000];
const LISTS: usize = 50;
const RESTARTS: usize = 5;
/// So many are defined on one side before the other has its turn.
const TURN: usize = 100;

/// A guest without devices of its own.
pub(super) fn document(name: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )
}

pub(super) fn run(sides: &mut [Side], report: &mut Report) -> Result<()> {
    let mut there = 0;
    for count in COUNTS {
        eprintln!("bench: {count} definitions");
        let mut clients = sides.iter().map(Side::client).collect::<Result<Vec<_>>>()?;
        while there < count {
            for (side, client) in sides.iter().zip(&mut clients) {
                let samples = define(client, there..there + TURN)?;
                report.add(&format!("definitions.{count}.define"), "ms", side.column(), &samples);
            }
            there += TURN;
        }
        for _ in 0..LISTS {
            for (side, client) in sides.iter().zip(&mut clients) {
                let begin = Instant::now();
                ensure!(listed(client)? >= count, "domains are missing from the list");
                report.add(&format!("definitions.{count}.list"), "ms", side.column(), &[millis(begin.elapsed())]);
            }
        }
        drop(clients);
        for _ in 0..RESTARTS {
            for side in sides.iter_mut() {
                let all_there =
                    |socket: &Path| Client::open(socket).and_then(|mut it| listed(&mut it)).is_ok_and(|it| it >= count);
                if let Some(time) = side.restart(&all_there)? {
                    report.add(&format!("definitions.{count}.restart"), "ms", side.column(), &[millis(time)]);
                }
                if let Some(mib) = side.resident()? {
                    report.add(&format!("definitions.{count}.rss"), "MiB", side.column(), &[mib]);
                }
            }
        }
    }
    Ok(())
}

fn define(client: &mut Client, numbers: std::ops::Range<usize>) -> Result<Vec<f64>> {
    let mut samples = Vec::new();
    for number in numbers {
        let xml = document(&format!("bench-{number:05}"));
        let begin = Instant::now();
        client.call(&DomainDefineXml { xml })?;
        samples.push(millis(begin.elapsed()));
    }
    Ok(samples)
}

/// How many domains a full list names.
fn listed(client: &mut Client) -> Result<usize> {
    Ok(client.call(&ConnectListAllDomains { need_results: 1, flags: 0 })?.domains.len())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
