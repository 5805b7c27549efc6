//! `cargo xtask tidy`: the promises that the compiler does not check. Run as a test, too.
//!
//! Each rule returns every place that breaks it, so one run shows all there is to do. It reads sources and manifests;
//! it builds nothing, except that the command (not the test) also asks whether the ledgers are true.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::command::workspace;
use crate::ledgers;

mod edges;
mod manifests;
mod sources;

/// Files longer than this are listed, without failing: two things may live in one.
const LONG_FILE: usize = 500;

/// Prints what is untidy and fails if there is any.
pub fn check() -> Result<()> {
    let problems = problems()?;
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    for (path, lines) in long_files()? {
        eprintln!("note: {path} has {lines} lines");
    }
    if !problems.is_empty() {
        bail!("{} untidy places", problems.len());
    }
    ledgers::check()?;
    println!("tidy");
    Ok(())
}

/// Every broken rule, as `place: what is wrong`.
pub fn problems() -> Result<Vec<String>> {
    let top = workspace();
    let files = files(&top)?;
    let mut problems = edges::problems(&top)?;
    problems.extend(manifests::problems(&files)?);
    problems.extend(sources::problems(&files)?);
    problems.sort();
    Ok(problems)
}

fn long_files() -> Result<Vec<(String, usize)>> {
    let mut long = Vec::new();
    for file in files(&workspace())?.iter().filter(|it| it.is_rust()) {
        let lines = file.text()?.lines().count();
        if lines > LONG_FILE {
            long.push((file.name.clone(), lines));
        }
    }
    long.sort_by_key(|it| std::cmp::Reverse(it.1));
    Ok(long)
}

/// A file of the tree.
struct File {
    path: PathBuf,
    /// Relative to the workspace, with slashes.
    name: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.name.ends_with(".rs")
    }

    fn text(&self) -> Result<String> {
        let bytes = fs::read(&self.path).with_context(|| self.name.clone())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Every file that belongs to the project: not what cargo, git or the fuzzer leave behind.
fn files(top: &Path) -> Result<Vec<File>> {
    let mut found = Vec::new();
    let mut todo = vec![top.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
            let path = entry?.path();
            let name = path.strip_prefix(top)?.to_string_lossy().into_owned();
            let last = name.rsplit('/').next().unwrap_or_default();
            if path.is_symlink() || matches!(last, "target" | ".git" | "artifacts" | "corpus") {
                continue;
            }
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(File { path, name });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let problems = super::problems().unwrap();
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }
}
