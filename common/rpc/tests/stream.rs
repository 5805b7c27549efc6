//! Streams in both directions, whole, sparse, given up and failed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: a panic is a failed test")]

mod support;

use bytes::Bytes;
use support::{Plain, Raw, domain, open, serve};
use virtbus_proto::table::device::DomainOpenConsole;
use virtbus_proto::table::node::ConnectGetHostname;
use virtbus_proto::table::storage::{StorageVolDownload, StorageVolUpload};
use virtbus_proto::types::StorageVol;
use virtbus_proto::{Header, MessageType, Procedure, Program, STREAM_CHUNK_MAX, Status, Xdr};
use virtbus_rpc::client::{CallError, ClientStream, Connection, Packet};
use virtbus_rpc::server::Limits;
use virtbus_rpc::stream::Incoming;

fn volume(name: &str) -> StorageVol {
    StorageVol { pool: "default".to_owned(), name: name.to_owned(), key: "k".to_owned() }
}

async fn download(connection: &Connection, length: u64) -> ClientStream {
    let args = StorageVolDownload { vol: volume("a"), offset: 0, length, flags: 0 };
    connection.call_stream(&args).await.unwrap().1
}

async fn upload(connection: &Connection, name: &str) -> ClientStream {
    let args = StorageVolUpload { vol: volume(name), offset: 0, length: 0, flags: 0 };
    connection.call_stream(&args).await.unwrap().1
}

#[tokio::test]
async fn a_download_ends_with_an_empty_packet_and_is_confirmed() {
    let (_server, connection) = open(&Plain::new("host")).await;
    let mut stream = download(&connection, 3_000_000).await;
    let mut total = 0;
    loop {
        match stream.receive().await.unwrap() {
            Packet::Data(data) => {
                assert!(data.len() <= STREAM_CHUNK_MAX && data.iter().all(|it| *it == 7));
                total += data.len();
            }
            Packet::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(total, 3_000_000);
    stream.finish().await.unwrap();
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
}

#[tokio::test]
async fn an_endless_download_is_held_back_and_can_be_given_up() {
    let (_server, connection) = open(&Plain::new("host")).await;
    let mut stream = download(&connection, u64::MAX).await;
    assert!(matches!(stream.receive().await, Some(Packet::Data(_))));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    stream.abort().await.unwrap();
    // One that is only dropped is given up as well, or this call would wait behind it for ever.
    drop(download(&connection, u64::MAX).await);
    assert_eq!(connection.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
}

#[tokio::test]
async fn an_upload_keeps_its_holes() {
    let service = Plain::new("host");
    let (_server, connection) = open(&service).await;
    let stream = upload(&connection, "a").await;
    stream.send(Bytes::from_static(b"begin")).await.unwrap();
    stream.send_hole(1 << 40).await.unwrap();
    stream.send(Bytes::from(vec![1; STREAM_CHUNK_MAX + 1])).await.unwrap();
    stream.finish().await.unwrap();
    let seen = service.uploaded.lock().unwrap().clone();
    let lens: Vec<usize> = seen.iter().map(|it| if let Incoming::Data(it) = it { it.len() } else { 0 }).collect();
    assert_eq!(lens, [5, 0, STREAM_CHUNK_MAX, 1, 0]);
    assert_eq!((&seen[1], &seen[4]), (&Incoming::Hole(1 << 40), &Incoming::Finish));
}

#[tokio::test]
async fn a_slow_consumer_slows_its_sender_and_loses_nothing() {
    let service = Plain::new("host");
    let (_server, connection) = open(&service).await;
    let stream = upload(&connection, "slow").await;
    let other = connection.clone();
    // A few megabytes wait before other calls of the connection would.
    stream.send(Bytes::from(vec![1; 2_000_000])).await.unwrap();
    assert_eq!(other.call(&ConnectGetHostname {}).await.unwrap().hostname, "host");
    stream.send(Bytes::from(vec![1; 20_000_000])).await.unwrap();
    stream.finish().await.unwrap();
    let seen = service.uploaded.lock().unwrap().clone();
    let total: usize = seen.iter().map(|it| if let Incoming::Data(it) = it { it.len() } else { 0 }).sum();
    assert_eq!(total, 22_000_000);
}

#[tokio::test]
async fn a_failed_stream_says_why() {
    let (_server, connection) = open(&Plain::new("host")).await;
    let stream = upload(&connection, "a").await;
    stream.send(Bytes::from_static(b"thirteen byte")).await.unwrap();
    let Err(CallError::Refused(failure)) = stream.finish().await else { panic!("it went well") };
    assert_eq!(failure.message.as_deref(), Some("unlucky"));
}

#[tokio::test]
async fn a_console_goes_both_ways() {
    let (_server, connection) = open(&Plain::new("host")).await;
    let args = DomainOpenConsole { dom: domain(), dev_name: None, flags: 0 };
    let (_, mut stream) = connection.call_stream(&args).await.unwrap();
    for line in ["hello\n", "a longer line, one that does not fit into the pipe between the two ends of it\n"] {
        stream.send(Bytes::copy_from_slice(line.as_bytes())).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < line.len() {
            let Some(Packet::Data(data)) = stream.receive().await else { panic!("no echo") };
            seen.extend_from_slice(&data);
        }
        assert_eq!(seen, line.as_bytes());
    }
    stream.finish().await.unwrap();
}

#[tokio::test]
async fn packets_of_no_stream_are_dropped_and_bad_holes_end_one() {
    let (_server, socket) = serve(Plain::new("host"), Limits::default());
    let mut raw = Raw::new(socket);
    let call = Header::call(Program::Remote, StorageVolUpload::NUMBER, 3);
    let data = call.answer(MessageType::Stream, Status::Continue);
    raw.send(data, b"early").await;
    let args = StorageVolUpload { vol: volume("a"), offset: 0, length: 0, flags: 0 }.to_bytes().unwrap();
    raw.send(call, &args).await;
    assert_eq!(raw.receive().await.header.status, Status::Ok);
    raw.send(Header { procedure: 4, ..data }, b"of another call").await;
    raw.send(call.answer(MessageType::StreamHole, Status::Continue), &[0xff; 12]).await;
    let seen = raw.receive().await;
    assert_eq!(seen.header, call.answer(MessageType::Stream, Status::Error));
    raw.send(data, b"late").await;
    // Aborting what is over is not answered, as nothing of the stream is any more.
    raw.send(call.answer(MessageType::Stream, Status::Error), &[]).await;
    assert_eq!(raw.call(66, 9, &[]).await.header.serial, 9);
}
