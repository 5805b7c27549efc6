//! Random sequences of requests against a model of a domain: what admission lets through never breaks the model.

use proptest::prelude::*;

use super::*;

const VERBS: &[Verb] = &[
    Verb::Define,
    Verb::Start,
    Verb::Create,
    Verb::Suspend,
    Verb::Resume,
    Verb::Destroy { force: true },
    Verb::Destroy { force: false },
    Verb::Undefine,
    Verb::SetAutostart,
    Verb::Rename,
    Verb::ChangeDefinition,
    Verb::Guest,
    Verb::ChangeLive,
];

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(Verb),
    GuestJobEnds,
    WritingEnds,
    GuestShutsDown,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => proptest::sample::select(VERBS).prop_map(Step::Ask),
        3 => Just(Step::GuestJobEnds),
        2 => Just(Step::WritingEnds),
        1 => Just(Step::GuestShutsDown),
    ];
    proptest::collection::vec(step, 1..200)
}

/// What an accepted request does to a domain, as simple as can be.
fn apply(it: &mut Situation, verb: Verb) {
    match verb {
        Verb::Define => (it.writing, it.persistent) = (true, true),
        Verb::Undefine => (it.writing, it.persistent) = (true, false),
        Verb::SetAutostart | Verb::ChangeDefinition | Verb::Rename => it.writing = true,
        Verb::Start | Verb::Create => (it.guest, it.state) = (Some(Busy::Start), State::PausedStartingUp),
        Verb::Destroy { force } => it.guest = Some(Busy::Stop { force }),
        Verb::Suspend => it.state = State::PausedUser,
        Verb::Resume => it.state = State::RunningUnpaused,
        Verb::Guest | Verb::ChangeLive => it.guest = Some(Busy::Guest("a request")),
    }
}

proptest! {
    #[test]
    fn no_sequence_leads_where_it_must_not(steps in steps()) {
        let mut it = Situation { state: State::ShutoffUnknown, persistent: false, guest: None, writing: false };
        for step in steps {
            match step {
                Step::Ask(verb) => {
                    let before = it;
                    match admit(it, verb) {
                        Verdict::Accept => {
                            match verb {
                                Verb::Start | Verb::Create => {
                                    prop_assert!(!before.state.is_active() && before.guest.is_none() && !before.writing);
                                }
                                Verb::Suspend => prop_assert!(!before.state.is_paused() && before.guest.is_none()),
                                Verb::Resume => prop_assert!(!before.state.is_running() && before.guest.is_none()),
                                Verb::Destroy { .. } => prop_assert!(before.state.is_active()),
                                Verb::Rename => prop_assert!(!before.state.is_active() && before.persistent),
                                Verb::Undefine | Verb::SetAutostart | Verb::ChangeDefinition => {
                                    prop_assert!(before.persistent && !before.writing);
                                }
                                Verb::Define => prop_assert!(!before.writing),
                                Verb::Guest | Verb::ChangeLive => {
                                    prop_assert!(before.state.is_active() && before.guest.is_none());
                                }
                            }
                            apply(&mut it, verb);
                        }
                        Verdict::AlreadyDone => prop_assert_eq!(verb, Verb::Suspend),
                        // Waiting makes sense only for something that ends.
                        Verdict::Refuse(Refusal::Busy(_)) => prop_assert!(before.guest.is_some() || before.writing),
                        Verdict::Refuse(_) => {}
                    }
                }
                Step::GuestJobEnds => match it.guest.take() {
                    Some(Busy::Start) => it.state = State::RunningBooted,
                    Some(Busy::Stop { .. }) => it.state = State::ShutoffDestroyed,
                    Some(Busy::Guest(_)) | None => {}
                },
                Step::WritingEnds => it.writing = false,
                Step::GuestShutsDown => {
                    if it.state.is_active() && it.guest.is_none() {
                        it.guest = Some(Busy::Stop { force: true });
                    }
                }
            }
            // Whatever happens, a guest can be destroyed, or is being destroyed already.
            if it.state.is_active() {
                let verdict = admit(it, Verb::Destroy { force: true });
                let ending = matches!(it.guest, Some(Busy::Stop { force: true }));
                prop_assert_eq!(verdict == Verdict::Accept, !ending);
            }
        }
    }
}

#[test]
fn refusals_read_as_clients_know_them() {
    let off = Situation { state: State::ShutoffUnknown, persistent: true, guest: None, writing: false };
    let on = Situation { state: State::RunningBooted, persistent: false, ..off };
    let text = |situation, verb| match admit(situation, verb) {
        Verdict::Refuse(refusal) => refusal.into_error("vm").full_detail(),
        other => format!("{other:?}"),
    };
    assert_eq!(text(off, Verb::Suspend), "domain is not running");
    assert_eq!(text(off, Verb::Destroy { force: true }), "domain is not running");
    assert_eq!(text(on, Verb::Start), "domain is already running");
    assert_eq!(text(on, Verb::Create), "domain 'vm' is already active");
    assert_eq!(text(on, Verb::Resume), "domain is already running");
    assert_eq!(text(on, Verb::Rename), "cannot rename active domain");
    assert_eq!(text(on, Verb::SetAutostart), "cannot set autostart for transient domain");
    assert_eq!(text(on, Verb::Undefine), "cannot undefine transient domain");
    assert_eq!(text(Situation { state: State::PausedUser, ..on }, Verb::Suspend), "AlreadyDone");
}
