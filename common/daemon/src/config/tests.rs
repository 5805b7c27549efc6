//! Cases seen with libvirt 11.3.0, and random text.

use std::path::Path;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/libvirt/x.conf"), text)
}

fn fault(text: &str) -> String {
    parse(text).expect_err("refused").to_string()
}

#[test]
fn values_of_all_kinds() {
    let text = "# comment\nmax_clients = 5 # five\n\n\tunix_sock_dir=\"/run/x\"; audit_logging = 1\n\
        a = 'it\"s'\nb = \"\"\"two\nlines\"\"\"\nlist = [ \"one\", # first\n  \"two\",\n]\nempty = []\nminus = -7\nplus = +7\r\n";
    let config = parse(text).expect("parses");
    assert_eq!(config.uint("max_clients").expect("a number"), Some(5));
    assert_eq!(config.string("unix_sock_dir").expect("a string").as_deref(), Some("/run/x"));
    assert_eq!(config.flag("audit_logging").expect("a flag"), Some(true));
    assert_eq!(config.string("a").expect("a string").as_deref(), Some("it\"s"));
    assert_eq!(config.string("b").expect("a string").as_deref(), Some("two\nlines"));
    assert_eq!(config.strings("list").expect("a list"), Some(vec!["one".to_owned(), "two".to_owned()]));
    assert_eq!(config.strings("empty").expect("a list"), Some(vec![]));
    assert_eq!(config.int("minus").expect("a number"), Some(-7));
    assert_eq!(config.int("plus").expect("a number"), Some(7));
    assert_eq!(config.string("absent").expect("absent"), None);
    assert_eq!(config.unknown(), []);
}

#[test]
fn faults_name_the_line() {
    assert_eq!(fault("\nmax_clients 5"), "/etc/libvirt/x.conf:2: expected '=' after the key");
    assert_eq!(fault("\n\na = \"x\nb"), "/etc/libvirt/x.conf:3: the string is not closed");
    assert_eq!(fault("a = [ 1,\n 2"), "/etc/libvirt/x.conf:1: the list is not closed");
    assert_eq!(fault("a = [ 1 2 ]"), "/etc/libvirt/x.conf:1: expected ',' or ']' in the list");
    assert_eq!(fault("a = 0x10"), "/etc/libvirt/x.conf:1: expected the end of the line after the value");
    assert_eq!(fault("a = 5 b = 6"), "/etc/libvirt/x.conf:1: expected the end of the line after the value");
    assert_eq!(fault("1a = 5"), "/etc/libvirt/x.conf:1: expected a key");
    assert!(fault("a = yes").contains("expected a value"));
    assert!(fault("a = 99999999999999999999").contains("63 bits"));
    assert!(fault(&format!("a = {}", "[".repeat(100_000))).contains("nested too deeply"));
}

#[test]
fn wrong_types_name_file_line_and_key() {
    let config = parse("a = \"5\"\nb = 2\nc = [ 5 ]\nd = \"0888\"\ne = 4294967296\nf = \"blue\"\n").expect("parses");
    let error = config.uint("a").expect_err("a string").to_string();
    assert_eq!(error, "/etc/libvirt/x.conf:1: a: expected an unsigned integer below 2^32");
    assert_eq!(config.flag("b").expect_err("not 0 or 1").to_string(), "/etc/libvirt/x.conf:2: b: expected 0 or 1");
    assert!(config.strings("c").is_err() && config.permissions("d").is_err() && config.uint("e").is_err());
    assert!(config.choice("f", &["red", "green"]).expect_err("blue").to_string().ends_with("one of red, green"));
}

#[test]
fn the_last_of_several_counts_and_unknown_keys_are_told() {
    let config = parse("max_clients = 5\nmax_clients = 6\nno_such_key = 1\nmin_workers = 9\n").expect("parses");
    let shared = DaemonConfig::from_config(&config).expect("well typed");
    assert_eq!(shared.max_clients, 6);
    let unknown = config.unknown();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].to_string(), "/etc/libvirt/x.conf:3: no_such_key is not known here and is ignored");
}

#[test]
fn defaults_hold_for_an_empty_file() {
    let shared = DaemonConfig::default();
    assert_eq!((shared.max_clients, shared.max_client_requests, shared.keepalive_interval), (5000, 128, 5));
    assert!(Config::read(Path::new("/no/such/file.conf"), false).is_ok());
    assert!(Config::read(Path::new("/no/such/file.conf"), true).is_err());
    assert!(DaemonConfig::from_config(&parse("max_clients = 0").expect("parses")).is_err());
}

fn a_value(depth: u32) -> BoxedStrategy<Value> {
    let plain = prop_oneof![any::<i64>().prop_map(Value::Number), "[^\"\n]{0,12}".prop_map(Value::Text)];
    plain.prop_recursive(depth, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::List)).boxed()
}

fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("\"{text}\""),
        Value::List(items) => format!("[ {} ]", items.iter().map(written).collect::<Vec<_>>().join(",\n # c\n")),
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn near_syntax_makes_no_panic(text in "[a-c=\\[\\]\"', #\n0-9;-]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_written_is_read(values in prop::collection::vec(a_value(3), 0..6)) {
        let text: String =
            values.iter().enumerate().map(|(i, value)| format!("k{i} = {}\n", written(value))).collect();
        let config = parse(&text).expect("parses");
        for (i, value) in values.iter().enumerate() {
            prop_assert_eq!(config.value(&format!("k{i}")), Some(value));
        }
    }
}
