//! What every `Cargo.toml` has in common: the workspace's lints, its edition and licence, sorted dependencies.

use anyhow::Result;

use super::File;

/// `common/host` has lints of its own, because a `forbid` of the workspace could not be lifted for its unsafe code.
const OWN_LINTS: &[&str] = &["common/host/Cargo.toml"];

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

pub(super) fn problems(files: &[File]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|it| it.name.ends_with("Cargo.toml")) {
        let text = file.text()?;
        problems.extend(unsorted(&file.name, &text));
        // The fuzz targets are a workspace of their own, built by another tool.
        if file.name == "Cargo.toml" || file.name.starts_with("tests/fuzz/") {
            continue;
        }
        for key in INHERITED {
            if !text.contains(&format!("\n{key}.workspace = true\n")) {
                problems.push(format!("{}: take `{key}` from the workspace", file.name));
            }
        }
        let inherits = text.contains("[lints]\nworkspace = true\n");
        if OWN_LINTS.contains(&file.name.as_str()) {
            if !text.contains("unsafe_code = \"deny\"") {
                problems.push(format!("{}: unsafe code must be allowed block by block", file.name));
            }
        } else if !inherits {
            problems.push(format!("{}: take the lints from the workspace", file.name));
        }
    }
    Ok(problems)
}

/// Each run of lines `name = ...` inside a dependencies section is sorted; a comment or blank line starts another run.
fn unsorted(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut inside = false;
    let mut last = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('[') {
            inside = line.trim_end_matches(']').ends_with("dependencies");
            last.clear();
        } else if line.starts_with('#') || line.is_empty() {
            last.clear();
        } else if let (true, Some((key, _))) = (inside, line.split_once(['=', '.', ' '])) {
            let key = key.trim();
            if key < last.as_str() {
                problems.push(format!("{name}:{number}: `{key}` belongs before `{last}`"));
            }
            key.clone_into(&mut last);
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsorted_dependency_is_found() {
        let text = "[dependencies]\nb = \"1\"\na.workspace = true\n# others\na = \"1\"\n[lints]\nz = 1\na = 1\n";
        assert_eq!(unsorted("x", text), ["x:3: `a` belongs before `b`"]);
    }
}
