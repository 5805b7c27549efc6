//! A question and its answer, within the deadline, whatever becomes of the daemon meanwhile.

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};
use virtbus_api::{Error, ErrorCode, ErrorDomain};
use zbus::{Connection, DynamicType, Message, Type};

use crate::link::Link;

/// Where the other daemon answers.
const PATH: &str = "/org/libvirt/QEMU";

/// How a question can end without an answer.
pub(crate) enum Fault {
    /// The connection was lost: the question may have been heard or not.
    Lost(Error),
    /// The daemon said no, or nothing.
    Final(Error),
}

impl From<Fault> for Error {
    fn from(it: Fault) -> Self {
        match it {
            Fault::Lost(it) | Fault::Final(it) => it,
        }
    }
}

impl Link {
    /// Asks what can be asked twice: a lost connection is made anew, once.
    pub(crate) async fn ask<B, R>(&self, interface: &'static str, member: &'static str, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType + Sync,
        R: DeserializeOwned + Type,
    {
        let until = Instant::now() + self.deadline;
        match self.ask_once(interface, member, body, until).await {
            Err(Fault::Lost(_)) => Ok(self.ask_once(interface, member, body, until).await?),
            Err(Fault::Final(error)) => Err(error),
            Ok(answer) => Ok(answer),
        }
    }

    /// Asks once.
    pub(crate) async fn ask_once<B, R>(
        &self,
        interface: &'static str,
        member: &'static str,
        body: &B,
        until: Instant,
    ) -> Result<R, Fault>
    where
        B: Serialize + DynamicType + Sync,
        R: DeserializeOwned + Type,
    {
        let connection = self.connection(until).await.map_err(Fault::Final)?;
        let asked = connection.call_method(None::<&str>, PATH, Some(interface), member, body);
        let reply = match timeout_at(until, asked).await {
            Ok(reply) => reply.map_err(|it| self.fault(&connection, it))?,
            Err(_) => return Err(Fault::Final(self.silent(&format!("answer {member}")))),
        };
        reply.body().deserialize().map_err(|it| Fault::Final(self.strange(&it.to_string())))
    }

    /// What the answer says, if it can be read.
    pub(crate) fn read<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        answer.map_err(|it| self.strange(&it.message()))
    }

    /// The answer makes no sense.
    pub(crate) fn strange(&self, why: &str) -> Error {
        Error::internal(format!("{} gave an answer that cannot be read: {why}", self.daemon.name))
    }

    fn fault(&self, connection: &Connection, error: zbus::Error) -> Fault {
        match error {
            zbus::Error::MethodError(name, text, reply) => {
                Fault::Final(self.refusal(name.as_str(), &text.unwrap_or_default(), &reply))
            }
            error => {
                self.lost(connection);
                Fault::Lost(self.absent(&format!("the connection was lost: {error}")))
            }
        }
    }

    /// The daemon's own error, as it was there.
    fn refusal(&self, name: &str, text: &str, reply: &Message) -> Error {
        let code = name.strip_prefix("org.libvirt.Error.");
        // Of an error and a warning of the same name (NO_NETWORK) the error is meant; it has the greater number.
        let code = code.and_then(|name| ErrorCode::ALL.iter().rev().find(|it| it.name() == name));
        let body = reply.body();
        match (code, body.deserialize::<(String, i32, i32, String)>()) {
            (Some(code), Ok((_, domain, errno, detail))) => {
                let domain = ErrorDomain::from_number(domain).unwrap_or(ErrorDomain::Dbus);
                let mut error = Error::new(*code, detail).in_domain(domain);
                error.errno = (errno != 0).then_some(errno);
                error
            }
            _ => Error::internal(format!("{} refused a question: {name}: {text}", self.daemon.name)),
        }
    }
}
