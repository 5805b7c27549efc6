//! QEMU's monitor as the engine uses it: every question has a deadline, every failure an error of the API.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use virtbus_api::{Error, ErrorCode, Result};
use virtbus_qmp::{Client, Command};

use crate::domain::command::Question;

/// How long QEMU may take to answer. A healthy one takes milliseconds; one that holds its lock for a slow disk,
/// seconds. The reference waits for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A handle on the monitor. Clones share the connection.
#[derive(Debug, Clone)]
pub(crate) struct Monitor(Client);

impl Monitor {
    /// The monitor behind `client`.
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// The connection itself, to send several commands at once.
    pub(crate) fn client(&self) -> &Client {
        &self.0
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// QEMU's refusal (`INTERNAL_ERROR`), the deadline (`OPERATION_TIMEOUT`), a lost connection (`OPERATION_FAILED`).
    pub(crate) async fn call<C: Command>(&self, command: &C) -> Result<C::Reply> {
        self.0.execute(command, DEADLINE).await.map_err(to_error)
    }

    /// Puts a question that has no type; the answer is JSON in QEMU's own words.
    ///
    /// # Errors
    /// As [`Monitor::call`]; with `whole`, QEMU's refusal is an answer as well.
    pub(crate) async fn put(&self, question: Question) -> Result<String> {
        let Question { what: _, raw: _, execute, arguments, whole, deadline } = question;
        let deadline = deadline.unwrap_or(DEADLINE);
        let said = self.0.execute_raw(&execute, &arguments, Vec::new(), deadline).await;
        match said {
            Ok(value) if whole => Ok(format!("{{\"return\":{},\"id\":\"{}\"}}", value.get(), next_id())),
            Ok(value) => Ok(value.get().to_owned()),
            Err(virtbus_qmp::Error::Qmp { error, .. }) if whole => {
                let (class, desc) = (Value::from(error.class), Value::from(error.desc));
                let id = next_id();
                Ok(format!("{{\"id\":\"{id}\",\"error\":{{\"class\":{class},\"desc\":{desc}}}}}"))
            }
            Err(error) => Err(to_error(error)),
        }
    }
}

/// An id for a reply that is passed on: QEMU's own counts commands of the connection, which is nobody's business.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("libvirt-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A failure of the monitor as clients see it; the words before QEMU's own are those that tools know.
pub(crate) fn to_error(error: virtbus_qmp::Error) -> Error {
    match error {
        virtbus_qmp::Error::Qmp { command, error } => {
            Error::internal(format!("unable to execute QEMU command '{command}': {}", error.desc))
        }
        virtbus_qmp::Error::Timeout { .. } => Error::timeout(error.to_string()),
        virtbus_qmp::Error::Disconnected { .. } => {
            Error::failed("domain is no longer running, or its monitor is lost").caused_by(error)
        }
        virtbus_qmp::Error::Busy { .. } => Error::new(ErrorCode::ResourceBusy, error.to_string()),
        other => Error::internal("QEMU monitor").caused_by(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_the_codes_clients_know() {
        let desc = "Device 'x' not found".to_owned();
        let qmp = virtbus_qmp::QmpError { class: "GenericError".to_owned(), desc };
        let error = to_error(virtbus_qmp::Error::Qmp { command: "device_del".to_owned(), error: qmp });
        let text = "internal error: unable to execute QEMU command 'device_del': Device 'x' not found";
        assert_eq!(error.message(), text);
        let late = virtbus_qmp::Error::Timeout {
            subject: "domain vm".to_owned(),
            command: "stop".to_owned(),
            age: DEADLINE,
            behind: None,
        };
        let error = to_error(late);
        assert_eq!(error.code, ErrorCode::OperationTimeout);
        assert!(error.message().contains("'stop' for 10 s"), "{error}");
    }
}
