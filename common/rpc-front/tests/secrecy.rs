//! What must never be logged. A program of its own: the log of a process is one.
#![allow(clippy::expect_used, reason = "a test's steps may fail the test")]

mod stand;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use stand::Stand;
use tracing_subscriber::fmt::format::FmtSpan;
use virtbus_proto::table::{SecretDefineXml, SecretGetValue, SecretSetValue};

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_value_of_a_secret_is_in_no_log() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .init();
    let stand = Stand::of_storage();
    let client = stand.client().await;
    let xml = "<secret private='yes'><usage type='ceph'><name>key</name></usage></secret>".to_owned();
    let secret = client.call(&SecretDefineXml { xml, flags: 0 }).await.unwrap().secret;
    for flags in [0, 1] {
        let _ = client.call(&SecretSetValue { secret: secret.clone(), value: b"hush-hush".to_vec(), flags }).await;
        let _ = client.call(&SecretGetValue { secret: secret.clone(), flags }).await;
    }
    let text = String::from_utf8_lossy(&log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(text.contains("SECRET_SET_VALUE"), "the call itself is logged: {text}");
    for form in ["hush", "104, 117, 115, 104", "68757368", "aHVzaC"] {
        assert!(!text.contains(form), "{form}: {text}");
    }
}
