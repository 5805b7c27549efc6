//! The software TPM: whether swtpm is installed and which versions of the standard it speaks.

use std::time::Duration;

use virtbus_host::process::{Spawn, find_program};

/// How long `swtpm_setup` may take to say what it can do.
const DEADLINE: Duration = Duration::from_secs(10);

/// Versions an emulated TPM can have, `1.2` and `2.0`; `None` when swtpm is not installed.
pub async fn emulated_versions() -> Option<Vec<&'static str>> {
    find_program("swtpm")?;
    find_program("swtpm_ioctl")?;
    let setup = find_program("swtpm_setup")?;
    let said = Spawn::new(setup).args(["--print-capabilities"]).cwd("/").output(DEADLINE).await;
    let said = said.inspect_err(|error| tracing::warn!("swtpm_setup: {error}")).ok()?;
    Some(versions(&said.stdout))
}

fn versions(said: &[u8]) -> Vec<&'static str> {
    let said: serde_json::Value = serde_json::from_slice(said).unwrap_or_default();
    let has = |name: &str| said["features"].as_array().into_iter().flatten().any(|it| it == name);
    let found: Vec<_> =
        [("tpm-1.2", "1.2"), ("tpm-2.0", "2.0")].into_iter().filter(|(name, _)| has(name)).map(|(_, it)| it).collect();
    // swtpm before 0.7 does not say; it speaks both.
    if found.is_empty() { vec!["1.2", "2.0"] } else { found }
}

#[cfg(test)]
mod tests {
    use super::versions;

    #[test]
    fn what_swtpm_says() {
        assert_eq!(versions(br#"{"type": "swtpm_setup", "features": ["cmdarg-x", "tpm-2.0"]}"#), ["2.0"]);
        assert_eq!(versions(b"{}"), ["1.2", "2.0"]);
        assert_eq!(versions(b"no"), ["1.2", "2.0"]);
    }
}
