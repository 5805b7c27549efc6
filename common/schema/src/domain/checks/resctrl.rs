//! Shares of caches and of memory bandwidth: each group of vCPUs stands alone, and is given each thing once.

use virtbus_xml::{CpuSet, Error, ErrorKind, Node};

use crate::domain::Domain;
use crate::domain::vcpu::{CacheAllocation, CacheKind, CacheTune, CpuTune};

type Checked = Result<(), Error>;

/// The level whose use can be watched.
const WATCHED: u32 = 3;

/// Two groups of vCPUs.
enum Meet {
    Never,
    Same,
    Partly,
}

fn meet(one: &CpuSet, other: &CpuSet) -> Meet {
    if one == other {
        Meet::Same
    } else if one.0.is_disjoint(&other.0) {
        Meet::Never
    } else {
        Meet::Partly
    }
}

impl Domain {
    /// Leaves out vCPUs there are not, then groups without any or without a share; refuses groups that share vCPUs.
    pub(super) fn check_shares(&mut self, node: Node<'_>) -> Checked {
        let count = self.vcpu.count;
        let Some(tune) = &mut self.cputune else { return Ok(()) };
        for set in tune.cachetunes.iter_mut().map(|it| &mut it.vcpus) {
            set.0.retain(|it| *it < count);
        }
        for set in tune.memorytunes.iter_mut().map(|it| &mut it.vcpus) {
            set.0.retain(|it| *it < count);
        }
        tune.cachetunes.retain(|it| !it.vcpus.0.is_empty() && !(it.caches.is_empty() && it.monitors.is_empty()));
        tune.memorytunes.retain(|it| !it.vcpus.0.is_empty() && !(it.nodes.is_empty() && it.monitors.is_empty()));
        let mut groups: Vec<&CpuSet> = Vec::new();
        for it in &tune.cachetunes {
            caches(it, node)?;
            let known = groups.iter().any(|group| !matches!(meet(group, &it.vcpus), Meet::Never));
            if known {
                return Err(bad(node, "two <cachetune> have the same vCPUs, or some of them"));
            }
            groups.push(&it.vcpus);
            monitors(&it.vcpus, it.monitors.iter().map(|it| &it.vcpus), node)?;
        }
        bandwidths(tune, groups, node)
    }
}

fn bad(node: Node<'_>, text: impl Into<String>) -> Error {
    node.error(ErrorKind::BadValue, text.into())
}

fn caches(tune: &CacheTune, node: Node<'_>) -> Checked {
    let collide = |one: &CacheAllocation, other: &CacheAllocation| {
        let kinds = one.kind == other.kind || one.kind == CacheKind::Both || other.kind == CacheKind::Both;
        one.level == other.level && one.id == other.id && kinds
    };
    for (at, it) in tune.caches.iter().enumerate() {
        if tune.caches.iter().take(at).any(|other| collide(other, it)) {
            let text = format!("cache {} of level {} is shared out twice for type '{}'", it.id, it.level, it.kind);
            return Err(bad(node, text));
        }
    }
    match tune.monitors.iter().find(|it| it.level != WATCHED) {
        Some(it) => Err(bad(node, format!("a cache of level {} cannot be watched", it.level))),
        None => Ok(()),
    }
}

/// Who is watched is of the group, and watched once.
fn monitors<'a>(group: &CpuSet, sets: impl Iterator<Item = &'a CpuSet>, node: Node<'_>) -> Checked {
    let mut seen: Vec<&CpuSet> = Vec::new();
    for set in sets {
        if !set.0.is_subset(&group.0) {
            return Err(node.error(ErrorKind::Argument, "a <monitor> watches vCPUs that are not of its group"));
        }
        if seen.iter().any(|other| !matches!(meet(other, set), Meet::Never)) {
            return Err(node.error(ErrorKind::Argument, "a vCPU is watched by two <monitor>s"));
        }
        seen.push(set);
    }
    Ok(())
}

/// Bandwidth goes to a group that has caches as well, or to one of its own.
fn bandwidths<'a>(tune: &'a CpuTune, mut groups: Vec<&'a CpuSet>, node: Node<'_>) -> Checked {
    let mut given = std::collections::BTreeSet::new();
    for it in &tune.memorytunes {
        let mut known = false;
        for group in &groups {
            match meet(group, &it.vcpus) {
                Meet::Never => {}
                Meet::Same => known = true,
                Meet::Partly => return Err(bad(node, "some vCPUs of a <memorytune> are of another group")),
            }
        }
        for share in &it.nodes {
            if !given.insert((it.vcpus.0.clone(), share.id)) {
                return Err(bad(node, format!("the bandwidth to node {} is given twice", share.id)));
            }
        }
        if !known {
            groups.push(&it.vcpus);
        }
        monitors(&it.vcpus, it.monitors.iter().map(|it| &it.vcpus), node)?;
    }
    Ok(())
}
