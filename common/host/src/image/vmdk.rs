//! The descriptor embedded in a VMware image: text from the second sector on.

use super::{Backing, text};

/// The parent that the descriptor names. Its format is not said there.
pub(super) fn backing(head: &[u8]) -> Option<Backing> {
    const KEY: &[u8] = b"parentFileNameHint=\"";
    const LONGEST: usize = 20 * 512;
    let descriptor = head.get(512..)?;
    let descriptor = descriptor.get(..LONGEST).unwrap_or(descriptor);
    let descriptor = descriptor.split(|it| *it == 0).next()?;
    let start = descriptor.windows(KEY.len()).position(|it| it == KEY)?.checked_add(KEY.len())?;
    let rest = descriptor.get(start..)?;
    let end = rest.iter().position(|it| *it == b'"')?;
    let name = text(rest.get(..end)?)?;
    Some(Backing { name, format: None })
}
