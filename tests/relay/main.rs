//! The relay from outside: calls that another daemon owns, through the proxy and directly, while that daemon is absent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use virtbus_tests::ledger::tests_dir;
use virtbus_tests::transcript;
use virtbus_tests::world::{DOORS, World};

#[test]
fn the_owner_is_absent() {
    let text = fs::read_to_string(tests_dir().join("relay/absent.txt")).unwrap();
    for door in DOORS {
        let mut world = World::start();
        for daemon in ["virtnetworkd", "virtstoraged"] {
            world.stack.service(daemon).unwrap().stop().unwrap();
        }
        if let Err(why) = transcript::run(&text, || world.client("sh", door)) {
            panic!("through {door:?}, {why}\n{}", world.stack.log("virtqemud"));
        }
    }
}

/// A daemon that comes back is found by the next call of a connection that was there before.
#[test]
fn the_owner_comes_back() {
    for door in DOORS {
        let mut world = World::start();
        // Debian's bindings are built for Debian's python, whichever comes first on the path.
        let mut script = world.client("/usr/bin/python3", door);
        script.arg(tests_dir().join("relay/calls.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let (mut input, output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let mut lines = BufReader::new(output).lines();
        let mut ask = |call: &str| {
            writeln!(input, "{call}").unwrap();
            lines.next().unwrap().unwrap()
        };
        assert_eq!(ask("listAllStoragePools"), "ok", "{door:?}");
        world.stack.service("virtstoraged").unwrap().kill().unwrap();
        assert_ne!(ask("listAllStoragePools"), "ok", "{door:?}: the daemon is gone");
        assert_eq!(ask("listAllNetworks"), "ok", "{door:?}: others go on");
        world.stack.start_daemon("virtstoraged").unwrap();
        assert_eq!(ask("listAllStoragePools"), "ok", "{door:?}: the daemon is back");
        drop(input);
        assert!(script.wait().unwrap().success());
    }
}
