//! Raw access to the monitors.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use virtbus_api::{DomainRef, Error, MonitorEvent, Result, hypervisor::Monitor};

use super::Qemu;
use crate::domain::command::{Answer, Command, Question};

impl Qemu {
    /// Puts a question to QEMU and returns what it says.
    pub(super) async fn question(&self, domain: &DomainRef, question: Question) -> Result<Value> {
        match self.find(domain)?.ask(&self.shared, Command::Ask(question)).await? {
            Answer::Said(value) => Ok(value),
            Answer::Done => Ok(Value::Null),
        }
    }
}

#[async_trait]
impl Monitor for Qemu {
    async fn monitor_command(&self, domain: &DomainRef, command: &str, hmp: bool) -> Result<String> {
        let question = |execute: String, arguments: Value, whole| Question {
            what: "a monitor command",
            execute,
            arguments,
            whole,
            deadline: None,
        };
        if hmp {
            let arguments = json!({"command-line": command});
            let said = self.question(domain, question("human-monitor-command".to_owned(), arguments, false)).await?;
            return Ok(said.as_str().unwrap_or_default().to_owned());
        }
        let parsed: Value = serde_json::from_str(command)
            .map_err(|error| Error::internal(format!("cannot parse json {command}: {error}")))?;
        let execute = parsed.get("execute").and_then(Value::as_str).map(str::to_owned);
        let execute = execute.ok_or_else(|| Error::invalid_arg("a monitor command needs a member 'execute'"))?;
        let arguments = parsed.get("arguments").cloned().unwrap_or(Value::Null);
        let said = self.question(domain, question(execute, arguments, true)).await?;
        Ok(said.to_string())
    }

    fn monitor_events(&self) -> broadcast::Receiver<Arc<MonitorEvent>> {
        self.shared.monitor_events.subscribe()
    }
}
