//! Whoever follows a pool's events knows its volumes, however they come and go: no root, no mounts.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "tests")]
#![allow(dead_code, reason = "the stand has parts for others")]

mod stand;

use std::collections::BTreeSet;

use stand::{Stand, document};
use tokio::sync::broadcast::Receiver;
use virtbus_api::{
    PoolEvent, PoolEventKind, PoolRef,
    flags::{PoolCreateFlags, VolumeCreateFlags, VolumeDeleteFlags},
    storage::{Pools, Volumes},
};
use virtstoraged::driver::Storage;

/// The names of the volumes, as the events tell them.
struct Follower {
    events: Receiver<PoolEvent>,
    known: BTreeSet<String>,
}

impl Follower {
    /// Hears what has been told, and holds it against what there is.
    fn check(&mut self, engine: &Storage, pool: &PoolRef) -> Vec<String> {
        while let Ok(event) = self.events.try_recv() {
            let PoolEventKind::Volumes(turnover) = event.kind else { continue };
            for it in &turnover.gone {
                assert!(self.known.remove(&it.name), "{it:?} was not known");
            }
            for it in &turnover.come {
                assert!(self.known.insert(it.name.clone()), "{it:?} was known");
            }
        }
        let there = engine.volumes(pool).unwrap_or_default();
        let known: Vec<_> = self.known.iter().cloned().collect();
        assert_eq!(known, there.into_iter().map(|it| it.name).collect::<Vec<_>>());
        known
    }
}

#[tokio::test]
async fn what_comes_and_goes_is_told() {
    let stand = Stand::new().await;
    let engine = &stand.engine;
    let mut follower = Follower { events: engine.pool_events(), known: BTreeSet::new() };
    let pool = stand.dir_pool("p").await;
    assert_eq!(follower.check(engine, &pool).len(), 0);
    let first = stand.volume(&pool, "first", "<capacity>4096</capacity>").await.expect("made");
    assert_eq!(follower.check(engine, &pool), ["first"]);
    let copy = document("copy", "<capacity>4096</capacity>");
    engine.create_volume_from(&pool, copy, &first, VolumeCreateFlags::empty()).await.expect("cloned");
    stand.volume(&pool, "first", "<capacity>4096</capacity>").await.expect_err("there is one");
    assert_eq!(follower.check(engine, &pool), ["copy", "first"]);
    engine.delete_volume(&first, VolumeDeleteFlags::empty()).await.expect("deleted");
    assert_eq!(follower.check(engine, &pool), ["copy"]);
    // What happens behind the daemon's back is told when it is seen.
    std::fs::write(stand.path("p/found"), "x").expect("written");
    std::fs::remove_file(stand.path("p/copy")).expect("removed");
    assert_eq!(follower.check(engine, &pool), ["copy"]);
    engine.refresh(&pool).await.expect("refreshed");
    assert_eq!(follower.check(engine, &pool), ["found"]);
    engine.destroy(&pool).await.expect("stopped");
    assert_eq!(follower.check(engine, &pool).len(), 0);
    engine.start(&pool, PoolCreateFlags::empty()).await.expect("started");
    assert_eq!(follower.check(engine, &pool), ["found"]);
}
