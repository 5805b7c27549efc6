//! kill -9 of virtqemud at random points of many cycles: whatever was acknowledged is there afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use virtbus_proto::table::domain::{
    DomainCreateWithFlags, DomainDefineXml, DomainDestroy, DomainGetState, DomainLookupByName, DomainUndefine,
};
use virtbus_proto::testing::Source;
use virtbus_proto::types::Domain;
use virtbus_tests::world::{Door, World};
use xtask::client::Client;

use super::{client, code, empty_domain};

const CYCLES: u64 = 200;
const NAME: &str = "cycle";
/// `VIR_DOMAIN_START_PAUSED`, `VIR_DOMAIN_PAUSED`, `VIR_DOMAIN_SHUTOFF`, and two of `virErrorNumber`.
const PAUSED: u32 = 1;
const STATE_PAUSED: i32 = 3;
const STATE_SHUTDOWN: i32 = 4;
const STATE_SHUTOFF: i32 = 5;
const NO_DOMAIN: i32 = 42;
const OPERATION_INVALID: i32 = 55;

/// What a client can see of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Defined,
    Running,
}

/// The calls of a cycle, and what each one leads to.
const STEPS: [Seen; 4] = [Seen::Defined, Seen::Running, Seen::Defined, Seen::Nothing];

#[test]
fn nothing_acknowledged_is_lost() {
    let mut world = World::start();
    let mut source = Source::new(std::process::id().into());
    // How long an undisturbed cycle takes decides where the kills fall.
    let begin = Instant::now();
    assert_eq!(cycle(&mut client(&world, Door::Direct)), (Seen::Nothing, None));
    let usual = u64::try_from(begin.elapsed().as_micros()).unwrap();

    for number in 0..CYCLES {
        let delay = Duration::from_micros(source.below(usual + usual / 8));
        let mut connection = client(&world, Door::Direct);
        let killed = AtomicBool::new(false);
        let daemon = world.stack.service("virtqemud").unwrap();
        let (acknowledged, asked) = std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let mut last = (Seen::Nothing, None);
                while !killed.load(Ordering::SeqCst) && last.1.is_none() {
                    last = cycle(&mut connection);
                }
                last
            });
            std::thread::sleep(delay);
            daemon.kill().unwrap();
            killed.store(true, Ordering::SeqCst);
            worker.join().unwrap()
        });
        world.stack.start_daemon("virtqemud").unwrap();
        let mut connection = client(&world, Door::Direct);
        let seen = seen(&mut connection);
        let allowed = seen == acknowledged || Some(seen) == asked;
        assert!(
            allowed,
            "cycle {number}, killed after {delay:?}: {acknowledged:?} was acknowledged, {asked:?} was asked for, {seen:?} is there\n{}",
            world.stack.log("virtqemud")
        );
        clean_up(&mut connection, seen);
    }
    let left = xtask::processes::holding(world.stack.root(), &["qemu-"]);
    assert!(left.is_empty(), "QEMUs that nobody knows: {left:?}");
}

/// Defines, starts, destroys and undefines. Returns what was acknowledged last, and what the call that broke off asked for.
fn cycle(connection: &mut Client) -> (Seen, Option<Seen>) {
    let mut acknowledged = Seen::Nothing;
    for (number, wanted) in STEPS.into_iter().enumerate() {
        match step(connection, number) {
            Ok(()) => acknowledged = wanted,
            Err(why) if code(&why).is_none() => return (acknowledged, Some(wanted)),
            Err(why) => panic!("step {number}: {why:#}"),
        }
    }
    (acknowledged, None)
}

fn step(connection: &mut Client, number: usize) -> anyhow::Result<()> {
    if number == 0 {
        return connection.call(&DomainDefineXml { xml: empty_domain(NAME) }).map(drop);
    }
    let dom = lookup(connection)?;
    match number {
        1 => connection.call(&DomainCreateWithFlags { dom, flags: PAUSED }).map(drop),
        2 => connection.call(&DomainDestroy { dom }),
        _ => connection.call(&DomainUndefine { dom }),
    }
}

fn lookup(connection: &mut Client) -> anyhow::Result<Domain> {
    Ok(connection.call(&DomainLookupByName { name: NAME.into() })?.dom)
}

fn seen(connection: &mut Client) -> Seen {
    match lookup(connection) {
        Err(why) if code(&why) == Some(NO_DOMAIN) => Seen::Nothing,
        Err(why) => panic!("{why:#}"),
        Ok(dom) => loop {
            match connection.call(&DomainGetState { dom: dom.clone(), flags: 0 }).unwrap().state {
                STATE_PAUSED => return Seen::Running,
                STATE_SHUTOFF => return Seen::Defined,
                // Its QEMU is about to end, or has: a moment later it is known.
                STATE_SHUTDOWN => std::thread::sleep(Duration::from_millis(10)),
                other => panic!("state {other}"),
            }
        },
    }
}

fn clean_up(connection: &mut Client, seen: Seen) {
    if seen == Seen::Nothing {
        return;
    }
    let dom = lookup(connection).unwrap();
    if seen == Seen::Running {
        // Its QEMU may have been ended by the call that was broken off, and be found gone only now.
        match connection.call(&DomainDestroy { dom: dom.clone() }) {
            Err(why) if code(&why) != Some(OPERATION_INVALID) => panic!("{why:#}"),
            _ => {}
        }
    }
    connection.call(&DomainUndefine { dom }).unwrap();
}
