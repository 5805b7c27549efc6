//! Sessions written down: commands, and what they print. The files are the tests; this runs and compares them.
//!
//! ```text
//! # A comment.
//! $ virsh domstate vm
//! running
//! $ virsh start nobody
//! error: failed to get domain 'nobody'
//! ...
//! [1]
//! ```
//!
//! Output and errors come together, as on a terminal; empty lines do not count. `[..]` stands for anything within a line,
//! `...` alone for any number of lines, and `[N]` last for an exit status that is not 0. Which program is run is not known.

use std::process::Command;

/// One command with what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step<'a> {
    line: usize,
    command: &'a str,
    expected: Vec<&'a str>,
    status: i32,
}

/// Runs every command of a session in turn; each is run by the shell that `shell` makes.
///
/// # Errors
///
/// The first step that differs, with what was expected and what came.
pub fn run(text: &str, shell: impl Fn() -> Command) -> Result<(), String> {
    for step in steps(text) {
        let out = shell().arg("-c").arg(format!("exec 2>&1; {}", step.command)).output();
        let out = out.map_err(|why| format!("line {}: {why}", step.line))?;
        let printed = String::from_utf8_lossy(&out.stdout);
        let lines: Vec<_> = printed.lines().map(str::trim_end).filter(|it| !it.is_empty()).collect();
        let status = out.status.code().unwrap_or(-1);
        if status != step.status || !matches(&step.expected, &lines) {
            return Err(format!(
                "line {}: $ {}\n--- expected, with status {}\n{}\n--- printed, with status {status}\n{}\n---",
                step.line,
                step.command,
                step.status,
                step.expected.join("\n"),
                lines.join("\n")
            ));
        }
    }
    Ok(())
}

fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (line, content) in (1..).zip(text.lines().map(str::trim_end)) {
        if let Some(command) = content.strip_prefix("$ ") {
            steps.push(Step { line, command, expected: Vec::new(), status: 0 });
        } else if let (false, Some(step)) = (content.is_empty() || content.starts_with('#'), steps.last_mut()) {
            match content.strip_prefix('[').and_then(|it| it.strip_suffix(']')).and_then(|it| it.parse().ok()) {
                Some(status) => step.status = status,
                None => step.expected.push(content),
            }
        }
    }
    steps
}

/// Whether lines fit a pattern of lines.
fn matches(expected: &[&str], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&"...", rest)) => (0..=lines.len()).any(|it| matches(rest, &lines[it..])),
        Some((pattern, rest)) => match lines.split_first() {
            Some((line, others)) => line_matches(pattern, line) && matches(rest, others),
            None => false,
        },
    }
}

/// Whether a line fits, `[..]` standing for anything.
fn line_matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((head, rest)) => line.strip_prefix(head).is_some_and(|tail| {
            let places = tail.char_indices().map(|it| it.0).chain([tail.len()]);
            places.into_iter().any(|it| line_matches(rest, &tail[it..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        assert!(line_matches("a[..]c[..]", "abcd") && line_matches("[..]", "") && !line_matches("a[..]c", "ab"));
        assert!(matches(&["a", "...", "d"], &["a", "b", "c", "d"]) && matches(&["..."], &[]));
        assert!(!matches(&["a", "..."], &["b"]) && !matches(&[], &["b"]));
    }

    #[test]
    fn a_session_runs() {
        let shell = || Command::new("sh");
        assert_eq!(run("# x\n$ echo a; echo >&2 b\na\n[..]\n$ exit 3\n[3]\n", shell), Ok(()));
        let why = run("$ echo a\nb\n", shell).unwrap_err();
        assert!(why.contains("--- expected, with status 0\nb\n--- printed, with status 0\na\n"), "{why}");
    }
}
