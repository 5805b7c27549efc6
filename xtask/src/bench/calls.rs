//! Round trips: one connection that waits for each answer, and eight at once.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use virtbus_proto::table::domain::{DomainDefineXml, DomainGetInfo, DomainUndefine};
use virtbus_proto::table::node::ConnectGetLibVersion;
use virtbus_proto::types::Domain;

use super::bus::{BusClient, Method};
use super::definitions::document;
use super::report::Report;
use super::side::Side;
use super::{BUS, CALLS, Options, THROUGHPUT};
use crate::client::Client;

const ROUNDS: usize = 10;
const CALLS_PER_ROUND: usize = 1000;
const CONNECTIONS: usize = 8;
const THROUGHPUT_SPAN: Duration = Duration::from_millis(700);

pub(super) fn run(sides: &mut [Side], options: &Options, report: &mut Report) -> Result<()> {
    eprintln!("bench: calls");
    let mut domains = Vec::new();
    for side in sides.iter() {
        domains.push(side.client()?.call(&DomainDefineXml { xml: document("bench-calls", "") })?.dom);
    }
    for round in 0..=ROUNDS {
        for (side, domain) in sides.iter().zip(&domains) {
            for way in &side.ways {
                // The first round warms both sides up and is not counted.
                let mut add = |case: &str, unit, samples: &[f64]| {
                    if round > 0 {
                        report.add(case, unit, &way.column, samples);
                    }
                };
                if options.wants(CALLS[0]) {
                    add(CALLS[0], "us", &latencies(&way.socket, |it| it.call(&ConnectGetLibVersion {}).map(drop))?);
                }
                if options.wants(CALLS[1]) {
                    let info = || DomainGetInfo { dom: domain.clone() };
                    add(CALLS[1], "us", &latencies(&way.socket, |it| it.call(&info()).map(drop))?);
                }
                if options.wants(BUS) {
                    add(BUS, "us", &bus_latencies(side, way.bus_name, &domain.uuid)?);
                }
                if options.wants(THROUGHPUT) {
                    add(THROUGHPUT, "k/s", &[throughput(&way.socket)?]);
                }
            }
        }
    }
    for (side, dom) in sides.iter().zip(domains) {
        undefine(&mut side.client()?, dom)?;
    }
    Ok(())
}

pub(super) fn undefine(client: &mut Client, dom: Domain) -> Result<()> {
    client.call(&DomainUndefine { dom })
}

/// Microseconds of each call.
fn latencies(socket: &Path, mut call: impl FnMut(&mut Client) -> Result<()>) -> Result<Vec<f64>> {
    let mut client = Client::open(socket)?;
    let mut samples = Vec::with_capacity(CALLS_PER_ROUND);
    for _ in 0..CALLS_PER_ROUND {
        let begin = Instant::now();
        call(&mut client)?;
        samples.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    Ok(samples)
}

/// Microseconds of each `GetState` over the message bus; none for a side that is on none.
fn bus_latencies(side: &Side, name: Option<&str>, uuid: &[u8; 16]) -> Result<Vec<f64>> {
    let (Some(socket), Some(destination)) = (side.bus(), name) else { return Ok(Vec::new()) };
    let mut client = BusClient::open(&socket)?;
    let digits: String = uuid.iter().map(|it| format!("{it:02x}")).collect();
    let parts: Vec<&str> = [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().filter_map(|it| digits.get(it)).collect();
    let path = format!("/org/libvirt/QEMU/domain/_{}", parts.join("_"));
    let interface = "org.libvirt.Domain";
    let state = Method { destination, path: &path, interface, member: "GetState", flags: Some(0) };
    let mut samples = Vec::with_capacity(CALLS_PER_ROUND);
    for _ in 0..CALLS_PER_ROUND {
        let begin = Instant::now();
        client.call(state)?;
        samples.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    Ok(samples)
}

/// Thousands of calls a second over all connections, each of which waits for its answers.
fn throughput(socket: &Path) -> Result<f64> {
    let start = Barrier::new(CONNECTIONS);
    let counts: Vec<Result<u32>> = std::thread::scope(|scope| {
        let one = || {
            let client = Client::open(socket);
            start.wait();
            let mut client = client?;
            let end = Instant::now() + THROUGHPUT_SPAN;
            let mut count = 0;
            while Instant::now() < end {
                client.call(&ConnectGetLibVersion {})?;
                count += 1;
            }
            Ok(count)
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|it| it.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client failed")))).collect()
    });
    let total: u32 = counts.into_iter().sum::<Result<u32>>().context("a connection failed")?;
    Ok(f64::from(total) / THROUGHPUT_SPAN.as_secs_f64() / 1000.0)
}
