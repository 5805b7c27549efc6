//! What every source file has, and what none has.

use anyhow::Result;

use super::File;

/// Beginnings of absolute paths that exist on one machine only. Written in two parts, so that this file is tidy.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Attributes that let a test lie about itself.
const LYING_TESTS: &[&str] = &[concat!("#[ign", "ore"), concat!("#[should_", "panic")];

pub(super) fn problems(files: &[File]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in files {
        let text = file.text()?;
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{}:{number}", file.name);
            if let Some(path) = MACHINE_PATHS.iter().find(|it| names_machine_path(line, it)) {
                problems.push(format!("{place}: {path} is a path of one machine"));
            }
            if file.is_rust() {
                problems.extend(line_problem(&file.name, line).map(|it| format!("{place}: {it}")));
            }
        }
        if file.is_rust() && !text.starts_with("//!") {
            problems.push(format!("{}: open with `//!`: what it is for, and what it refuses to know", file.name));
        }
    }
    Ok(problems)
}

fn line_problem(name: &str, line: &str) -> Option<String> {
    let code = line.trim_start();
    if code.starts_with("//") {
        return None;
    }
    if let Some(attribute) = LYING_TESTS.iter().find(|it| code.starts_with(**it)) {
        return Some(format!("{attribute}]: a known wrong result is asserted with a FIXME"));
    }
    // The compiler forbids it as well, by a lint that could be lifted; this cannot.
    let is_unsafe = code.split(|it: char| !it.is_alphanumeric() && it != '_').any(|it| it == concat!("uns", "afe"));
    (is_unsafe && !name.starts_with("common/host/") && !code.contains('"'))
        .then(|| "unsafe code belongs in common/host".to_owned())
}

/// The path stands at the start of a word: `x/home/` in a document is somebody else's.
fn names_machine_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|it| it.is_whitespace() || matches!(it, '"' | '\'' | '`' | '(' | '=' | ':' | '<' | '>'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_judged() {
        assert!(line_problem("virtqemud/src/a.rs", concat!("    uns", "afe { x() }")).is_some());
        assert!(line_problem("common/host/src/a.rs", concat!("    uns", "afe { x() }")).is_none());
        assert!(line_problem("virtqemud/src/a.rs", "// why this is not done").is_none());
        assert!(line_problem("tests/a.rs", LYING_TESTS[0]).is_some());
        assert!(names_machine_path(concat!("see /wo", "rk/x"), MACHINE_PATHS[0]));
        assert!(!names_machine_path(concat!("net/wo", "rk/x"), MACHINE_PATHS[0]));
    }
}
