//! Secrets on real files: what is kept, what is refused, and that nobody else reads it. They know no wire.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

const FIRST: Uuid = Uuid::from_u128(0x90d0_0000_1111_4000_8000_0000_0000_00a1);

fn store(directory: &Path) -> SecretStore {
    SecretStore::open(directory.join("secrets")).expect("opened")
}

async fn define(store: &SecretStore, text: &str) -> Result<SecretRef> {
    let secret = Secret::parse(text).expect("a document");
    store.define_secret(Box::new(secret), SecretDefineFlags::default()).await
}

fn document(number: u8, attributes: &str, usage: &str) -> String {
    let usage = match usage.split_once(' ') {
        Some(("volume", id)) => format!("<usage type='volume'><volume>{id}</volume></usage>"),
        Some((kind, id)) => format!("<usage type='{kind}'><name>{id}</name></usage>"),
        None => String::new(),
    };
    format!("<secret {attributes}><uuid>90d00000-1111-4000-8000-0000000000a{number}</uuid>{usage}</secret>")
}

fn code<T>(result: Result<T>) -> Option<i32> {
    result.err().map(|it| it.code.number())
}

#[tokio::test]
async fn what_is_defined_and_set_is_there_after_a_restart() {
    let root = tempfile::tempdir().expect("a directory");
    let it = store(root.path());
    let secret = define(&it, &document(1, "", "volume /v")).await.expect("defined");
    assert_eq!((secret.uuid, secret.usage_type, secret.usage_id.as_str()), (FIRST, 1, "/v"));
    assert_eq!(code(it.secret_value(&secret)), Some(66));
    it.set_secret_value(&secret, SecretValue::new(b"ab\0c".to_vec())).await.expect("set");

    let file = |name: &str| root.path().join("secrets").join(name);
    let text = |name: &str| fs::read_to_string(file(name)).expect(name);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(text(&format!("{FIRST}.base64")), "YWIAYw==");
    assert!(text(&format!("{FIRST}.xml")).starts_with("<secret ephemeral='no' private='no'>\n  <uuid>"));
    assert_eq!((mode(&file("")), mode(&file(&format!("{FIRST}.base64")))), (0o700, 0o600));

    let again = store(root.path());
    let found = again.lookup_secret_by_usage(1, "/v").expect("found");
    assert_eq!(again.secret_value(&found).expect("a value").expose(), b"ab\0c");
    again.undefine_secret(&found).await.expect("undefined");
    assert_eq!(fs::read_dir(file("")).expect("listed").count(), 0);
    assert_eq!(code(again.lookup_secret(FIRST)), Some(66));
    assert_eq!(code(again.undefine_secret(&found).await), Some(66));
}

#[tokio::test]
async fn a_use_belongs_to_one_secret() {
    let root = tempfile::tempdir().expect("a directory");
    let it = store(root.path());
    define(&it, &document(1, "", "volume /v")).await.expect("defined");
    assert_eq!(code(define(&it, &document(2, "", "volume /v")).await), Some(1));
    define(&it, &document(2, "", "tls /v")).await.expect("another type is another use");
    define(&it, &document(1, "", "volume /v")).await.expect("defined again");
    assert_eq!(code(define(&it, &document(1, "", "volume /w")).await), Some(1));
    assert_eq!(code(define(&it, &document(1, "", "")).await), Some(1));
    // What is for nothing in particular is not in the way of another.
    define(&it, &document(3, "", "")).await.expect("defined");
    define(&it, &document(4, "", "")).await.expect("defined");
    assert_eq!(code(it.lookup_secret_by_usage(0, "")), Some(66));
    assert_eq!(code(it.lookup_secret_by_usage(9, "/v")), Some(66));
}

#[tokio::test]
async fn a_private_value_is_for_the_daemons_alone() {
    let root = tempfile::tempdir().expect("a directory");
    let it = store(root.path());
    let secret = define(&it, &document(1, "private='yes'", "")).await.expect("defined");
    it.set_secret_value(&secret, SecretValue::new(b"x".to_vec())).await.expect("set");
    assert_eq!(code(it.secret_value(&secret)), Some(65));
    assert_eq!(it.secret_value_for_use(&secret).expect("for use").expose(), b"x");
    assert_eq!(code(define(&it, &document(1, "", "")).await), Some(1));
    let shown = format!("{it:?} {:?}", it.shared.registry);
    assert!(!shown.contains("120") && shown.contains("hidden"), "{shown}");
    let long = SecretValue::new(vec![0; LONGEST_VALUE + 1]);
    assert_eq!(code(it.set_secret_value(&secret, long).await), Some(8));
    let longest = SecretValue::new(vec![255; LONGEST_VALUE]);
    it.set_secret_value(&secret, longest.clone()).await.expect("set");
    assert!(store(root.path()).secret_value_for_use(&secret).is_ok_and(|it| it == longest));
}

#[tokio::test]
async fn what_is_ephemeral_is_in_memory_alone() {
    let root = tempfile::tempdir().expect("a directory");
    let it = store(root.path());
    let secret = define(&it, &document(1, "ephemeral='yes'", "")).await.expect("defined");
    it.set_secret_value(&secret, SecretValue::new(b"x".to_vec())).await.expect("set");
    assert!(!root.path().join("secrets").exists());
    // It becomes one that stays, with its value, and ephemeral again.
    define(&it, &document(1, "", "")).await.expect("defined");
    assert_eq!(fs::read_dir(root.path().join("secrets")).expect("listed").count(), 2);
    define(&it, &document(1, "ephemeral='yes'", "")).await.expect("defined");
    assert_eq!(fs::read_dir(root.path().join("secrets")).expect("listed").count(), 0);
    assert_eq!(it.secret_value(&secret).expect("still there").expose(), b"x");
}

#[tokio::test]
async fn lists_filter_and_events_tell() {
    let root = tempfile::tempdir().expect("a directory");
    let it = store(root.path());
    let mut events = it.secret_events();
    let first = define(&it, &document(1, "private='yes'", "")).await.expect("defined");
    define(&it, &document(2, "ephemeral='yes'", "")).await.expect("defined");
    define(&it, &document(3, "", "ceph x")).await.expect("defined");
    let count = |filter| it.secrets(filter).len();
    assert_eq!(count(SecretFilter::empty()), 3);
    assert_eq!(count(SecretFilter::EPHEMERAL), 1);
    assert_eq!(count(SecretFilter::EPHEMERAL | SecretFilter::NO_EPHEMERAL), 3);
    assert_eq!(count(SecretFilter::NO_EPHEMERAL | SecretFilter::NO_PRIVATE), 1);
    it.set_secret_value(&first, SecretValue::new(Vec::new())).await.expect("set");
    it.undefine_secret(&first).await.expect("undefined");
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event.kind);
    }
    use SecretEventKind::{Defined, Undefined, ValueChanged};
    assert_eq!(told, [Defined, Defined, Defined, ValueChanged, Undefined]);
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_is_left_alone() {
    let root = tempfile::tempdir().expect("a directory");
    let directory = root.path().join("secrets");
    fs::create_dir(&directory).expect("made");
    fs::write(directory.join("junk.xml"), "<secret>").expect("written");
    fs::write(directory.join("other.xml"), document(1, "", "")).expect("written");
    // Killed while writing.
    fs::write(directory.join(format!("{FIRST}.base64.new")), "eA").expect("written");
    for number in [1, 2, 3] {
        let name = format!("90d00000-1111-4000-8000-0000000000a{number}");
        let usage = if number == 3 { "tls b" } else { "tls a" };
        fs::write(directory.join(format!("{name}.xml")), document(number, "", usage)).expect("written");
        fs::write(directory.join(format!("{name}.base64")), if number == 3 { "!" } else { "eA==\n" }).expect("written");
    }
    let it = store(root.path());
    // Two are for the same use: one of them counts.
    assert_eq!(it.secrets(SecretFilter::empty()).len(), 2);
    assert_eq!(it.secret_value(&SecretRef::of_uuid(FIRST)).expect("a value").expose(), b"x");
    let third = it.lookup_secret_by_usage(4, "b").expect("there");
    assert_eq!(code(it.secret_value(&third)), Some(66));
    assert_eq!(fs::read_dir(&directory).expect("listed").count(), 8);
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_not_said_to_be_done() {
    let root = tempfile::tempdir().expect("a directory");
    // A directory in the way of the temporary file stands for a disk that takes nothing more.
    let blocked = |name: &str| fs::create_dir_all(root.path().join("secrets").join(name)).expect("made");
    blocked(&format!("{FIRST}.xml.new"));
    let it = store(root.path());
    assert_eq!(code(define(&it, &document(1, "", "")).await), Some(38));
    assert!(it.secrets(SecretFilter::empty()).is_empty());
    fs::remove_dir(root.path().join("secrets").join(format!("{FIRST}.xml.new"))).expect("removed");
    let secret = define(&it, &document(1, "", "")).await.expect("defined");
    blocked(&format!("{FIRST}.base64.new"));
    let failed = it.set_secret_value(&secret, SecretValue::new(b"hush".to_vec())).await;
    assert!(failed.is_err_and(|it| !format!("{it:?} {it}").contains("hush")));
    assert_eq!(code(it.secret_value(&secret)), Some(66));
}
