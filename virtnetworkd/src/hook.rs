//! What an administrator's hooks are told of networks: which operation, and the documents it is about.

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_host::hook::{self, Happening, Hooks};
use virtbus_schema::{FormatOptions, Network, NetworkPort};

use crate::blocking::call;

/// The file's name below the hooks' directory.
const DRIVER: &str = "network";

/// What happens to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It is about to start; a failing hook prevents that.
    Start,
    /// It has started; a failing hook stops it again.
    Started,
    /// It has stopped.
    Stopped,
    /// It was changed.
    Updated,
    /// A guest was plugged in; a failing hook unplugs it.
    PortCreated,
    /// A guest was unplugged.
    PortDeleted,
}

impl Operation {
    fn happening(self) -> Happening {
        let operation = match self {
            Self::Start => "start",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Updated => "updated",
            Self::PortCreated => "port-created",
            Self::PortDeleted => "port-deleted",
        };
        Happening { operation, part: if self == Self::Stopped { "end" } else { "begin" } }
    }
}

/// Tells the hooks, and waits for them.
///
/// # Errors
/// `HOOK_SCRIPT_FAILED` naming the script.
pub(crate) async fn tell(hooks: &Hooks, what: Operation, network: &Network, port: Option<&NetworkPort>) -> Result<()> {
    let looked = hooks.clone();
    let scripts = call("hooks of networks", move || Ok(looked.of(DRIVER))).await?;
    if scripts.is_empty() {
        return Ok(());
    }
    let done = hook::run(scripts, &network.name, what.happening(), &document(network, port)).await;
    done.map_err(|error| Error::new(ErrorCode::HookScriptFailed, error.to_string()).in_domain(ErrorDomain::Hook))
}

/// As [`tell`], of what cannot be prevented any more: a failure is only worth a line in the log.
pub(crate) async fn note(hooks: &Hooks, what: Operation, network: &Network, port: Option<&NetworkPort>) {
    if let Err(error) = tell(hooks, what, network, port).await {
        tracing::warn!(network = network.name, "{error}");
    }
}

fn document(network: &Network, port: Option<&NetworkPort>) -> String {
    let live = FormatOptions { secure: true, ..FormatOptions::default() };
    let mut document = String::from("<hookData>\n");
    for text in [Some(network.format(live)), port.map(|it| it.format(live))].into_iter().flatten() {
        for line in text.lines() {
            document.push_str("  ");
            document.push_str(line);
            document.push('\n');
        }
    }
    document + "</hookData>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_reads_the_network_and_the_port() {
        let network = Network::parse("<network><name>n</name></network>").expect("a network");
        let text = document(&network, None);
        assert_eq!(
            text,
            "<hookData>\n  <network>\n    <name>n</name>\n    <bridge stp='on' delay='0'/>\n  </network>\n</hookData>"
        );
        let port = NetworkPort::parse(
            "<networkport><uuid>09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f</uuid><owner><name>d</name>\
             <uuid>09b11c53-8b5c-4eeb-8f00-d84eaa0aaa40</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>",
        );
        let text = document(&network, Some(&port.expect("a port")));
        assert!(
            text.contains("\n  <networkport>\n    <uuid>") && text.ends_with("  </networkport>\n</hookData>"),
            "{text}"
        );
    }
}
