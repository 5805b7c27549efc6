//! Clients that ask too much or talk nonsense: the daemons answer the first and outlive the second.

use std::time::Duration;

use virtbus_proto::MessageType;
use virtbus_proto::table::domain::ConnectListAllDomains;
use virtbus_proto::table::node::{ConnectGetCapabilities, ConnectGetLibVersion};
use virtbus_proto::testing::Source;
use virtbus_tests::world::{DOORS, Door, World};
use xtask::client::Client;

use super::client;

#[test]
fn two_hundred_requests_in_flight() {
    let world = World::start();
    for door in DOORS {
        let mut connection = client(&world, door);
        let mut sent = Vec::new();
        for number in 0..200 {
            sent.push(match number % 4 {
                0 => connection.send(&ConnectGetCapabilities {}).unwrap(),
                1 => connection.send(&ConnectListAllDomains { need_results: 1, flags: 0 }).unwrap(),
                _ => connection.send(&ConnectGetLibVersion {}).unwrap(),
            });
        }
        let mut answered = Vec::new();
        while answered.len() < sent.len() {
            let frame = connection.frame().unwrap();
            assert_eq!(frame.header.kind, MessageType::Reply);
            answered.push(frame.header.serial);
        }
        answered.sort_unstable();
        assert_eq!(answered, sent, "through {door:?}");
        connection.call(&ConnectGetLibVersion {}).unwrap();
    }
}

/// Every socket that the daemons listen on.
const SOCKETS: [&str; 6] = [
    "virtqemud-sock",
    "virtqemud-sock-ro",
    "virtqemud-admin-sock",
    "libvirt-sock",
    "libvirt-sock-ro",
    "libvirt-admin-sock",
];

#[test]
fn garbage_on_every_socket() {
    let world = World::start();
    let mut good = client(&world, Door::Proxy);
    let mut source = Source::new(11);
    for socket in SOCKETS.iter().filter(|it| world.stack.socket(it).exists()) {
        for round in 0..40 {
            let Ok(mut connection) = Client::connect(&world.stack.socket(socket)) else { continue };
            // A server may close in the middle of it.
            let _ = connection.send_raw(&garbage(round, &mut source));
            if round % 8 == 0 {
                let _ = connection.is_closed_within(Duration::from_millis(20)).unwrap();
            }
        }
        // Too long and too short are answered by closing, at once.
        for length in [27u32, 33_554_437, u32::MAX] {
            let Ok(mut connection) = Client::connect(&world.stack.socket(socket)) else { continue };
            connection.send_raw(&[&length.to_be_bytes()[..], &[0; 24]].concat()).unwrap();
            assert!(
                connection.is_closed_within(Duration::from_secs(5)).unwrap(),
                "{socket}: a frame of {length} bytes"
            );
        }
        good.call(&ConnectGetLibVersion {}).unwrap();
        client(&world, Door::Direct).call(&ConnectGetLibVersion {}).unwrap();
    }
    for name in ["virtqemud", "virtproxyd"] {
        assert!(!world.stack.log(name).contains("panicked"), "{}", world.stack.log(name));
    }
    let mut world = world;
    for name in ["virtqemud", "virtproxyd"] {
        assert_eq!(world.stack.service(name).unwrap().wait(Duration::ZERO), None, "{name} has ended");
    }
}

/// Plain noise, or a header that is right as far as the round's number says, with noise behind it.
fn garbage(round: u64, source: &mut Source) -> Vec<u8> {
    let noise: Vec<u8> = (0..source.below(300)).flat_map(|_| source.word().to_be_bytes()).collect();
    let length = u32::try_from(28 + noise.len()).unwrap().to_be_bytes();
    let word = |source: &mut Source, right: u32, odd: bool| {
        if odd { source.word().to_be_bytes()[..4].to_vec() } else { right.to_be_bytes().to_vec() }
    };
    match round % 4 {
        0 => noise,
        kind => {
            let procedure = u32::try_from(source.below(500)).unwrap();
            let head = [0x2000_8086, 1, procedure, u32::try_from(source.below(8)).unwrap(), 0, 0];
            let words = head
                .into_iter()
                .enumerate()
                .flat_map(|(at, it)| word(source, it, kind == 3 && at % 2 == 0))
                .collect::<Vec<_>>();
            [&length[..], &words, &noise].concat()
        }
    }
}
