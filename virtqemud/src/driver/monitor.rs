//! Raw access to the monitors.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use virtbus_api::{DomainRef, Error, MonitorEvent, Result, hypervisor::Monitor};

use super::Qemu;
use crate::domain::command::{Answer, Command, Question};

impl Qemu {
    /// Puts a question to QEMU and returns what it says, as JSON.
    pub(super) async fn question(&self, domain: &DomainRef, question: Question) -> Result<String> {
        match self.find(domain)?.ask(&self.shared, Command::Ask(question)).await? {
            Answer::Said(text) => Ok(text),
            Answer::Done => Ok("null".to_owned()),
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
            raw: true,
            deadline: None,
        };
        if hmp {
            let arguments = json!({"command-line": command});
            let said = self.question(domain, question("human-monitor-command".to_owned(), arguments, false)).await?;
            let text = serde_json::from_str::<String>(&said);
            return text.map_err(|error| Error::internal("QEMU's human monitor answers no text").caused_by(error));
        }
        let parsed: Value = serde_json::from_str(command)
            .map_err(|error| Error::internal(format!("cannot parse json {command}: {error}")))?;
        let execute = parsed.get("execute").and_then(Value::as_str).map(str::to_owned);
        let execute = execute.ok_or_else(|| Error::invalid_arg("a monitor command needs a member 'execute'"))?;
        let arguments = parsed.get("arguments").cloned().unwrap_or(Value::Null);
        self.question(domain, question(execute, arguments, true)).await.map(|it| compact(&it))
    }

    fn monitor_events(&self) -> broadcast::Receiver<Arc<MonitorEvent>> {
        self.shared.monitor_events.subscribe()
    }
}

/// JSON without the spaces between its parts, as the reference hands it on; members keep QEMU's order.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |it: &char| {
        let is_space = !in_string && it.is_ascii_whitespace();
        match it {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = *it == '\\' && !escaped;
        !is_space
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn strings_keep_their_spaces() {
        let json = r#"{"return": [ "a \" b", "c\\" , 1 ], "id": "x y"}"#;
        assert_eq!(compact(json), r#"{"return":["a \" b","c\\",1],"id":"x y"}"#);
    }
}
