//! kill -9 of a daemon at random points of many cycles: whatever was acknowledged is there afterwards.

mod domain;
mod network;
mod pool;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use virtbus_proto::testing::Source;
use virtbus_tests::world::World;
use xtask::client::Client;

use super::code;

const CYCLES: u64 = 200;
const NAME: &str = "cycle";

/// What a cycle makes, stage by stage, and takes down again. At stage 0 there is nothing.
struct Subject {
    daemon: &'static str,
    uri: &'static str,
    /// How many stages there are: calls 0 to `stages` go up one each, as many more come down again.
    stages: usize,
    /// Makes one of the calls.
    call: fn(&mut Client, usize) -> anyhow::Result<()>,
    /// The stage that a client sees.
    seen: fn(&mut Client) -> usize,
    /// What may go wrong with a call that takes something down which a call before the kill had begun to take down.
    forgiven: &'static [i32],
}

impl Subject {
    fn client(&self, world: &World) -> Client {
        Client::open_as(&world.stack.socket(&format!("{}-sock", self.daemon)), self.uri).unwrap()
    }

    /// The stage behind a call.
    fn stage_after(&self, call: usize) -> usize {
        if call < self.stages { call + 1 } else { 2 * self.stages - call - 1 }
    }

    /// Goes up and down. Returns the stage acknowledged last, and the one that the call which broke off asked for.
    fn cycle(&self, connection: &mut Client) -> (usize, Option<usize>) {
        let mut acknowledged = 0;
        for number in 0..2 * self.stages {
            let wanted = self.stage_after(number);
            match (self.call)(connection, number) {
                Ok(()) => acknowledged = wanted,
                Err(why) if code(&why).is_none() => return (acknowledged, Some(wanted)),
                Err(why) => panic!("call {number}: {why:#}"),
            }
        }
        (acknowledged, None)
    }

    fn clean_up(&self, connection: &mut Client, seen: usize) {
        for number in 2 * self.stages - seen..2 * self.stages {
            match (self.call)(connection, number) {
                Err(why) if code(&why).is_none_or(|it| !self.forgiven.contains(&it)) => {
                    panic!("call {number}: {why:#}")
                }
                _ => {}
            }
        }
    }

    /// Kills the daemon in the middle of each of many cycles.
    fn survives(&self, world: &mut World) {
        let mut source = Source::new(std::process::id().into());
        // How long an undisturbed cycle takes decides where the kills fall.
        let begin = Instant::now();
        assert_eq!(self.cycle(&mut self.client(world)), (0, None));
        let usual = u64::try_from(begin.elapsed().as_micros()).unwrap();

        for number in 0..CYCLES {
            let delay = Duration::from_micros(source.below(usual + usual / 8));
            let mut connection = self.client(world);
            let killed = AtomicBool::new(false);
            let daemon = world.stack.service(self.daemon).unwrap();
            let (acknowledged, asked) = std::thread::scope(|scope| {
                let worker = scope.spawn(|| {
                    let mut last = (0, None);
                    while !killed.load(Ordering::SeqCst) && last.1.is_none() {
                        last = self.cycle(&mut connection);
                    }
                    last
                });
                std::thread::sleep(delay);
                daemon.kill().unwrap();
                killed.store(true, Ordering::SeqCst);
                worker.join().unwrap()
            });
            world.stack.start_daemon(self.daemon).unwrap();
            let mut connection = self.client(world);
            let seen = (self.seen)(&mut connection);
            let allowed = seen == acknowledged || Some(seen) == asked;
            assert!(
                allowed,
                "cycle {number}, killed after {delay:?}: stage {acknowledged} was acknowledged, {asked:?} was asked for, \
                 {seen} is there\n{}",
                world.stack.log(self.daemon)
            );
            self.clean_up(&mut connection, seen);
        }
    }
}
