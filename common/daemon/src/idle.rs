//! `--timeout`: when a daemon may leave because nobody needs it.
//!
//! It is idle while every count it was given (clients, running guests, jobs) is zero. Counts are published by their
//! owners; nothing is polled.

use std::time::Duration;

use tokio::sync::watch;

/// Returns once all counts have been zero for `timeout` without a break; never if `timeout` is `None`. A count whose
/// owner is gone is zero from then on. Cancel-safe.
pub async fn until_idle(timeout: Option<Duration>, counts: Vec<watch::Receiver<usize>>) {
    let Some(timeout) = timeout else {
        return std::future::pending().await;
    };
    // One channel out of many: each count is watched by a future that is polled here.
    let mut counts = counts;
    loop {
        if counts.iter_mut().all(|count| *count.borrow_and_update() == 0 || count.has_changed().is_err()) {
            let changes = any_change(&mut counts);
            if tokio::time::timeout(timeout, changes).await.is_err() {
                return;
            }
        } else {
            any_change(&mut counts).await;
        }
    }
}

/// Returns when any count has changed; never if all owners are gone.
async fn any_change(counts: &mut [watch::Receiver<usize>]) {
    let mut waits: Vec<_> = counts.iter_mut().map(|count| Box::pin(count.changed())).collect();
    std::future::poll_fn(|cx| {
        let mut gone = Vec::new();
        for (index, wait) in waits.iter_mut().enumerate() {
            match wait.as_mut().poll(cx) {
                std::task::Poll::Ready(Ok(())) => return std::task::Poll::Ready(()),
                std::task::Poll::Ready(Err(_)) => gone.push(index),
                std::task::Poll::Pending => {}
            }
        }
        for index in gone.into_iter().rev() {
            drop(waits.swap_remove(index));
        }
        std::task::Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep, timeout};

    #[tokio::test(start_paused = true)]
    async fn it_leaves_after_a_whole_quiet_period() {
        let (clients, seen_clients) = watch::channel(1);
        let (guests, seen_guests) = watch::channel(0);
        let begun = Instant::now();
        let idle = until_idle(Some(Duration::from_secs(120)), vec![seen_clients, seen_guests]);
        let life = async {
            sleep(Duration::from_secs(500)).await;
            clients.send_replace(0);
            sleep(Duration::from_secs(100)).await;
            guests.send_replace(1);
            sleep(Duration::from_secs(1)).await;
            guests.send_replace(0);
            std::future::pending::<()>().await;
        };
        tokio::select! { () = idle => {}, () = life => {} }
        assert_eq!(begun.elapsed().as_secs(), 500 + 100 + 1 + 120);
    }

    #[tokio::test(start_paused = true)]
    async fn owners_may_go_and_no_timeout_means_never() {
        let (clients, seen) = watch::channel(1);
        drop(clients);
        timeout(Duration::from_secs(20), until_idle(Some(Duration::from_secs(10)), vec![seen])).await.expect("leaves");
        let (_clients, seen) = watch::channel(0);
        timeout(Duration::from_secs(9999), until_idle(None, vec![seen])).await.expect_err("stays");
    }
}
