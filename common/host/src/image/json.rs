//! Backing files that a header describes in QEMU's JSON (`json:{"driver": "file", "filename": "/x"}`) instead of naming
//! them. It tells files of this host from the rest; how to reach the rest it leaves to QEMU.

use serde_json::{Map, Value};

/// Drivers whose images are elsewhere.
const REMOTE: [&str; 12] =
    ["ftp", "ftps", "gluster", "http", "https", "iscsi", "nbd", "nfs", "nvme", "rbd", "sheepdog", "ssh"];
/// How deep a description may nest: a `raw` around a `raw` changes nothing.
const DEEPEST: usize = 8;

/// What a description means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// A file or device of this host, as it is written.
    Path {
        /// Where.
        path: String,
        /// Whether all of it is meant, not a part from an offset.
        is_whole: bool,
    },
    /// Something that is not a file of this host.
    Remote,
    /// What the reference does not understand either: another image format around it, a node by its name, no JSON.
    Unclear,
}

/// What the name of a backing file describes; `None` where it is no description.
#[must_use]
pub fn described(name: &str) -> Option<Described> {
    let text = name.strip_prefix("json:")?;
    let Ok(Value::Object(top)) = serde_json::from_str::<Value>(text) else { return Some(Described::Unclear) };
    Some(meaning(&nested(top), DEEPEST))
}

/// `{"file.driver": "x"}` is `{"file": {"driver": "x"}}`.
fn nested(flat: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    let mut inner: Map<String, Value> = Map::new();
    for (key, value) in flat {
        match key.strip_prefix("file.") {
            Some(rest) => drop(inner.insert(rest.to_owned(), value)),
            None => drop(all.insert(key, value)),
        }
    }
    if !inner.is_empty() && !all.contains_key("file") {
        all.insert("file".to_owned(), Value::Object(nested(inner)));
    }
    all
}

fn meaning(it: &Map<String, Value>, depth: usize) -> Described {
    let text = |key: &str| it.get(key).and_then(Value::as_str);
    let path = || match text("filename") {
        Some(path) if !path.is_empty() => Described::Path { path: path.to_owned(), is_whole: true },
        _ => Described::Unclear,
    };
    let within = it.get("file").and_then(Value::as_object).filter(|_| depth > 0);
    match (text("driver"), within) {
        (Some("raw") | None, Some(inner)) => match meaning(inner, depth - 1) {
            Described::Path { path, is_whole } => {
                let is_part = it.contains_key("offset") || it.contains_key("size");
                Described::Path { path, is_whole: is_whole && !is_part }
            }
            other => other,
        },
        (Some("file" | "host_device" | "host_cdrom"), _) => path(),
        (Some(driver), _) if REMOTE.contains(&driver) => Described::Remote,
        (None, None) if text("filename").is_some_and(|it| it.starts_with('/')) => path(),
        _ => Described::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libvirtd 11.3 takes the same names.
    #[test]
    fn descriptions() {
        let of = |text: &str| described(&format!("json:{text}")).expect("a description");
        let path = |text: &str| Described::Path { path: text.to_owned(), is_whole: true };
        for text in [
            r#"{"driver":"raw","file":{"driver":"file","filename":"/b"}}"#,
            r#" {"file":{"driver":"file","filename":"/b"}} "#,
            r#"{"file.driver":"file","file.filename":"/b"}"#,
            r#"{"file.file.driver":"file","file.driver":"raw","file.file.filename":"/b"}"#,
            r#"{"driver":"file","filename":"/b"}"#,
            r#"{"driver":"host_device","filename":"/b"}"#,
        ] {
            assert_eq!(of(text), path("/b"), "{text}");
        }
        assert_eq!(of(r#"{"file":{"driver":"file","filename":"b"}}"#), path("b"));
        let part = of(r#"{"driver":"raw","offset":512,"file":{"driver":"file","filename":"/b"}}"#);
        assert_eq!(part, Described::Path { path: "/b".to_owned(), is_whole: false });
        assert_eq!(of(r#"{"file.driver":"nbd","file.path":"/s"}"#), Described::Remote);
        for text in [
            "{",
            "{}",
            "[]",
            r#"{"file":"node"}"#,
            r#"{"driver":"file"}"#,
            r#"{"driver":"vvfat","dir":"/x"}"#,
            r#"{"driver":"qcow2","file":{"driver":"file","filename":"/b"}}"#,
        ] {
            assert_eq!(of(text), Described::Unclear, "{text}");
        }
        assert_eq!(described("/json:"), None);
        let deep = format!("json:{}1{}", r#"{"file":"#.repeat(100), "}".repeat(100));
        assert_eq!(described(&deep), Some(Described::Unclear));
    }
}
