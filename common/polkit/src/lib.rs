//! Asks polkit whether somebody may do something: the one place that does, for all doors of a daemon.
//!
//! A question waits for nobody but polkit, and for that up to a deadline, so a polkitd that is stuck holds up those who
//! need it and nothing else. What the action is good for, who needs it and what a refusal is called on the wire is known
//! to the doors: `virtbus_rpc::auth` and the access check of `virtbus_dbus_front`.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore},
    time::timeout,
};
use zbus::{Connection, fdo, message::Header};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

/// Talking to a daemon at all, without changing anything. The action's policy allows it to everybody as shipped.
pub const MONITOR: &str = "org.libvirt.unix.monitor";
/// Everything else.
pub const MANAGE: &str = "org.libvirt.unix.manage";

/// How long polkit may take when nobody is asked for a password.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long a person may take to type one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Questions under way; more are refused, so that those who wait cannot take all places where calls wait.
const MAX_QUESTIONS: usize = 64;

/// Who is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Whom<'a> {
    /// A process.
    Process {
        /// Its user, as the kernel vouches for it.
        uid: u32,
        /// Its number.
        pid: u32,
        /// When it began, in clock ticks since boot; looked up when not known.
        start_time: Option<u64>,
    },
    /// Who sent this message over the bus that polkit is on.
    Sender(&'a Header<'a>),
}

/// Why somebody may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The policy says no.
    #[error("access denied by policy")]
    Denied,
    /// The policy wants a password, and the person would not give it.
    #[error("user cancelled authentication process")]
    Cancelled,
    /// The policy wants a password, and there is nobody to ask for it.
    #[error("no polkit agent available to authenticate action '{0}'")]
    NoAgent(String),
    /// There is no polkit: no bus, or nothing of that name on it.
    #[error("there is no polkit to ask about '{action}': {why}")]
    Absent {
        /// What was asked.
        action: String,
        /// What is missing.
        why: String,
    },
    /// Polkit, or the bus, fails or does not answer in time.
    #[error("polkit does not answer about '{action}': {why}")]
    Failed {
        /// What was asked.
        action: String,
        /// How.
        why: String,
    },
}

/// Asks polkit; the connection is made for the first question and again when it was lost.
#[derive(Debug)]
pub struct Polkit {
    /// The bus; `None` is the system's.
    address: Option<String>,
    authority: Mutex<Option<AuthorityProxy<'static>>>,
    questions: Semaphore,
    deadline: Duration,
}

impl Polkit {
    /// The polkit on the system bus, or the one that `DBUS_SYSTEM_BUS_ADDRESS` names.
    pub fn of_system() -> Self {
        Self::new(None)
    }

    /// The polkit on the bus at this D-Bus address.
    pub fn at(address: &str) -> Self {
        Self::new(Some(address.to_owned()))
    }

    fn new(address: Option<String>) -> Self {
        let questions = Semaphore::new(MAX_QUESTIONS);
        Self { address, authority: Mutex::default(), questions, deadline: DEADLINE }
    }

    /// Waits that long for an answer for which nobody has to be asked.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Asks whether `whom` may do `action`; a person may be asked for a password if `interactive`.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self, whom: Whom<'_>, action: &str, interactive: bool) -> Result<(), Refusal> {
        let failed = |why: String| Refusal::Failed { action: action.to_owned(), why };
        let Ok(_question) = self.questions.try_acquire() else {
            return Err(failed(format!("{MAX_QUESTIONS} questions wait for it already")));
        };
        let limit = if interactive { PATIENCE.max(self.deadline) } else { self.deadline };
        let asking = async {
            let authority = self.authority(action).await?;
            let answer = ask(&authority, whom, action, interactive).await;
            if matches!(answer, Err(Refusal::Absent { .. } | Refusal::Failed { .. })) {
                // The bus may have been restarted: the next question begins anew.
                *self.authority.lock().await = None;
            }
            answer
        };
        let late = || failed(format!("nothing came within {} s", limit.as_secs()));
        timeout(limit, asking).await.unwrap_or_else(|_| Err(late()))
    }

    async fn authority(&self, action: &str) -> Result<AuthorityProxy<'static>, Refusal> {
        let mut known = self.authority.lock().await;
        if let Some(authority) = &*known {
            return Ok(authority.clone());
        }
        let absent = |it: zbus::Error| Refusal::Absent { action: action.to_owned(), why: it.to_string() };
        let builder = match &self.address {
            None => zbus::connection::Builder::system(),
            Some(address) => zbus::connection::Builder::address(address.as_str()),
        };
        // Within the deadline of the question; a bus that does not answer is one that is not there.
        let connection: Connection = timeout(self.deadline, builder.build())
            .await
            .unwrap_or_else(|_| Err(zbus::Error::Failure("the bus does not answer".to_owned())))
            .map_err(absent)?;
        let authority = AuthorityProxy::builder(&connection)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
            .map_err(absent)?;
        *known = Some(authority.clone());
        Ok(authority)
    }
}

async fn ask(authority: &AuthorityProxy<'_>, whom: Whom<'_>, action: &str, interactive: bool) -> Result<(), Refusal> {
    let failed = |why: String| Refusal::Failed { action: action.to_owned(), why };
    let subject = match whom {
        Whom::Process { uid, pid, start_time } => Subject::new_for_pid(pid, start_time, Some(uid)),
        Whom::Sender(header) => Subject::new_for_message_header(header),
    };
    let subject = subject.map_err(|it| failed(it.to_string()))?;
    let flags = match interactive {
        true => CheckAuthorizationFlags::ALLOW_USER_INTERACTION,
        false => CheckAuthorizationFlags::empty(),
    };
    let answer = match authority.check_authorization(&subject, action, &HashMap::new(), flags, "").await {
        Ok(answer) => answer,
        Err(error) if is_absence(&error) => {
            return Err(Refusal::Absent { action: action.to_owned(), why: error.to_string() });
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    tracing::debug!(action, ?whom, authorized = answer.is_authorized, challenge = answer.is_challenge, "polkit");
    match answer {
        it if it.is_authorized => Ok(()),
        it if it.details.get("polkit.dismissed").is_some_and(|it| it == "true") => Err(Refusal::Cancelled),
        it if it.is_challenge => Err(Refusal::NoAgent(action.to_owned())),
        _ => Err(Refusal::Denied),
    }
}

/// Whether the bus says that nobody has polkit's name, nor could be started to have it.
fn is_absence(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(it) => matches!(&**it, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_)),
        // The bus asks systemd to start it.
        zbus::Error::MethodError(name, ..) => name.as_str() == "org.freedesktop.systemd1.NoSuchUnit",
        _ => false,
    }
}
