//! Strict reading of domains against a corpus recorded elsewhere: `GOLDEN_DIR` is a directory with `index.json` and
//! `cases/KIND/NAME/`. Own cases are in `tests/documents.rs`.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test may fail, and says what it skips")]

use std::path::Path;

use virtbus_schema::{Domain, ErrorKind};

/// What the index says of a case, read without a parser of its own: one member per line.
fn cases(index: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut id = String::new();
    for line in index.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("\"id\": \"") {
            id = text.trim_end_matches([',', '"']).to_owned();
        }
        if line.starts_with("\"validate\":") {
            found.push((id.clone(), false));
        }
        if let (Some(last), "\"code\": 92,") = (found.last_mut(), line) {
            last.1 = true;
        }
    }
    found
}

#[test]
fn the_form_of_domains_is_refused_where_the_reference_does() {
    let Some(directory) = std::env::var_os("GOLDEN_DIR") else {
        eprintln!("skipped: GOLDEN_DIR names no corpus");
        return;
    };
    let directory = Path::new(&directory);
    let index = std::fs::read_to_string(directory.join("index.json")).expect("the corpus has an index");
    let (mut right, mut all) = (0, 0);
    for (id, refused) in cases(&index) {
        let Ok(text) = std::fs::read_to_string(directory.join("cases").join(&id).join("in.xml")) else { continue };
        if !id.starts_with("domain/") && !id.starts_with("invalid-domain/") {
            continue;
        }
        let error = Domain::parse_strict(&text).err();
        let ours = error.as_ref().is_some_and(|it| it.kind == ErrorKind::Unknown);
        all += 1;
        if ours == refused {
            right += 1;
        } else {
            eprintln!("{id}: {}", error.map_or("taken".to_owned(), |it| it.to_string()));
        }
    }
    eprintln!("{right} of {all}");
    assert!(right * 100 > all * 90, "{right} of {all}");
}
