//! Shares of caches and of memory bandwidth: each group of vCPUs stands alone, and is given each thing once.

use std::collections::BTreeSet;

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
        tune.cachetunes.retain(|it| !(it.vcpus.0.is_empty() || it.caches.is_empty() && it.monitors.is_empty()));
        tune.memorytunes.retain(|it| !(it.vcpus.0.is_empty() || it.nodes.is_empty() && it.monitors.is_empty()));
        let mut groups: Vec<Group<'_>> = Vec::new();
        for it in &tune.cachetunes {
            caches(it, node)?;
            if groups.iter().any(|group| !matches!(meet(group.vcpus, &it.vcpus), Meet::Never)) {
                return Err(bad(node, "two <cachetune> have the same vCPUs, or some of them"));
            }
            let mut group = Group { vcpus: &it.vcpus, has_share: !it.caches.is_empty(), watched: Vec::new() };
            it.monitors.iter().try_for_each(|it| group.watch(&it.vcpus, "cache", node))?;
            groups.push(group);
        }
        bandwidths(tune, groups, node)
    }
}

/// vCPUs that are given shares together.
struct Group<'a> {
    vcpus: &'a CpuSet,
    has_share: bool,
    /// Who is watched, and for what.
    watched: Vec<(&'a CpuSet, &'static str)>,
}

impl<'a> Group<'a> {
    /// Who is watched is of the group, and watched once; besides, a group with a share can be watched as a whole.
    fn watch(&mut self, set: &'a CpuSet, what: &'static str, node: Node<'_>) -> Checked {
        if !set.0.is_subset(&self.vcpus.0) {
            return Err(node.error(ErrorKind::Argument, "a <monitor> watches vCPUs that are not of its group"));
        }
        let whole = |it: &CpuSet| self.has_share && it == self.vcpus;
        let twice = self.watched.iter().any(|(other, for_what)| match meet(other, set) {
            Meet::Never => false,
            Meet::Same => *for_what == what,
            Meet::Partly => !whole(other) && !whole(set),
        });
        if twice {
            return Err(node.error(ErrorKind::Argument, "a vCPU is watched by two <monitor>s"));
        }
        self.watched.push((set, what));
        Ok(())
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

/// Bandwidth goes to a group that has caches as well, or to one of its own.
fn bandwidths<'a>(tune: &'a CpuTune, mut groups: Vec<Group<'a>>, node: Node<'_>) -> Checked {
    let mut given = BTreeSet::new();
    for it in &tune.memorytunes {
        if groups.iter().any(|group| matches!(meet(group.vcpus, &it.vcpus), Meet::Partly)) {
            return Err(bad(node, "some vCPUs of a <memorytune> are of another group"));
        }
        for share in &it.nodes {
            if !given.insert((&it.vcpus.0, share.id)) {
                return Err(bad(node, format!("the bandwidth to node {} is given twice", share.id)));
            }
        }
        let at = groups.iter().position(|group| *group.vcpus == it.vcpus).unwrap_or_else(|| {
            groups.push(Group { vcpus: &it.vcpus, has_share: false, watched: Vec::new() });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(at) else { continue };
        group.has_share |= !it.nodes.is_empty();
        it.monitors.iter().try_for_each(|it| group.watch(&it.vcpus, "bandwidth", node))?;
    }
    Ok(())
}
