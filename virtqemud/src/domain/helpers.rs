//! Processes beside a guest's QEMU that end before it: noticed, told, and started again where QEMU takes another one.
//!
//! The guest itself goes on: whether it can do without is its user's to say.

use virtbus_api::Result;

use super::{
    Owner,
    admission::Busy,
    guest::Claims,
    job::{Apply, Job},
};
use crate::process::{
    helper::{Helper, Serves},
    launch::plan_again,
};

/// Waits for the end of a helper.
pub(super) async fn lost(claims: Option<&mut Claims>) -> usize {
    match claims {
        Some(claims) => claims.helper_lost().await,
        None => std::future::pending().await,
    }
}

impl Owner {
    pub(super) fn on_helper_lost(&mut self, at: usize) {
        let ending = self.stopping.is_some();
        let Some(guest) = &mut self.guest else { return };
        if ending || !guest.process.is_alive() {
            return;
        }
        let Some(helper) = guest.claims.helper(at) else { return };
        let (name, serves, how, stable) =
            (helper.name().to_owned(), helper.serves().clone(), helper.how(), helper.was_stable());
        self.note(format!("{name} ended unexpectedly ({how}); {}", serves.loss()));
        if serves.can_be_replaced() && stable {
            self.replace(name, &serves);
        }
    }

    /// Runs another one. QEMU finds it by itself.
    fn replace(&mut self, name: String, serves: &Serves) {
        let (Some(guest), Some(live)) = (&self.guest, &self.view.live) else { return };
        let plan = match plan_again(&live.document, &guest.claims, serves) {
            Ok(Some(plan)) => plan,
            Ok(None) => return,
            Err(error) => return self.note(format!("{name} cannot be started again: {}", error.full_detail())),
        };
        let job = Job::new(Busy::Guest("a process beside it is being started again"), async move {
            let started = plan.start().await;
            Box::new(move |owner: &mut Owner| owner.replaced(&name, started)) as Apply
        });
        match &self.job {
            None => self.job = Some(job),
            Some(_) => self.next_jobs.push_back(job),
        }
        self.changed = true;
    }

    fn replaced(&mut self, name: &str, started: Result<Helper>) {
        match (started, &mut self.guest) {
            (Ok(helper), Some(guest)) => {
                guest.claims.replace_helper(helper);
                self.note(format!("{name} was started again"));
            }
            (Ok(helper), None) => drop(helper.stop()),
            (Err(error), _) => self.note(format!("{name} cannot be started again: {}", error.full_detail())),
        }
    }

    /// Logs what went wrong beside QEMU and keeps it for those who ask.
    fn note(&mut self, text: String) {
        tracing::error!(domain = %self.view.name, "{text}");
        if let Some(live) = &mut self.view.live {
            // Those of a helper that comes and goes for ever are not all wanted.
            if live.notes.len() >= MOST_NOTES {
                live.notes.remove(0);
            }
            live.notes.push(text);
        }
        self.changed = true;
    }
}

/// How many notes a domain keeps.
const MOST_NOTES: usize = 20;
