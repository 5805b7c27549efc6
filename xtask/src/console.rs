//! A guest's console as a person uses it: `virsh console` on a terminal, with what it shows and what is typed.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::guest::PROMPT;
use crate::stack::Stack;

/// An open console.
#[derive(Debug)]
pub struct Console {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// What was shown and not yet waited for.
    pending: String,
    /// What was shown since the console was opened.
    shown: String,
    echo: bool,
}

impl Console {
    /// Opens the console of `domain` by `virsh console ARGS`; virsh wants a terminal, so `script` gives it one.
    pub fn open(stack: &Stack, uri: &str, domain: &str, args: &str) -> Result<Self> {
        let mut command = stack.client("script");
        command.args(["-qfec", &format!("virsh -c '{uri}' console {args} {domain}"), "/dev/null"]);
        Self::of(command)
    }

    /// The console that this command opens: `script` around `virsh console`.
    pub fn of(mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.context("script")?;
        let input = child.stdin.take().context("no input")?;
        let mut from = child.stdout.take().context("no output")?;
        let (to, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                if to.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, input, output, pending: String::new(), shown: String::new(), echo: false })
    }

    /// Shows on this program's terminal what the console shows.
    pub fn echo(&mut self) {
        self.echo = true;
    }

    /// Waits until `text` is shown; returns what came before it. Text already waited for does not count again.
    pub fn expect(&mut self, text: &str, deadline: Duration) -> Result<String> {
        let end = Instant::now() + deadline;
        loop {
            if let Some((before, after)) = self.pending.split_once(text) {
                let before = before.to_owned();
                self.pending = after.to_owned();
                return Ok(before);
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => bail!("{text:?} was not shown within {deadline:?}: {:?}", self.shown),
                Err(RecvTimeoutError::Disconnected) => bail!("the console closed before {text:?}: {:?}", self.shown),
            }
        }
    }

    /// Presses Enter until the guest's shell shows its prompt: one shown before the console was open is not shown again.
    pub fn prompt(&mut self, deadline: Duration) -> Result<()> {
        let end = Instant::now() + deadline;
        self.expect("Escape character", deadline)?;
        loop {
            self.send("")?;
            match self.expect(PROMPT, Duration::from_secs(1)) {
                Ok(_) => break,
                Err(why) if Instant::now() > end => return Err(why),
                Err(_) => {}
            }
        }
        // What the other presses brought.
        while self.expect(PROMPT, Duration::from_millis(100)).is_ok() {}
        Ok(())
    }

    /// Waits until the other side closes the console.
    pub fn closed(&mut self, deadline: Duration) -> Result<String> {
        let end = Instant::now() + deadline;
        loop {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => bail!("the console is still open after {deadline:?}"),
                Err(RecvTimeoutError::Disconnected) => return Ok(std::mem::take(&mut self.pending)),
            }
        }
    }

    /// Types a line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Types a line and returns what is shown until the prompt.
    pub fn command(&mut self, line: &str, deadline: Duration) -> Result<String> {
        self.send(line)?;
        // The line itself comes first, as the terminal echoes it.
        self.expect(line, deadline)?;
        self.expect(PROMPT, deadline)
    }

    fn take(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if self.echo {
            // The guest's shell asks where the cursor is; the answer would land on our own command line.
            print!("{}", text.replace("\u{1b}[6n", ""));
            let _ = std::io::stdout().flush();
        }
        self.pending.push_str(&text);
        // The guest's shell breaks a long line that is typed, and nothing else ends a line so.
        self.pending = self.pending.replace("\r\r\n", "");
        self.shown.push_str(&text);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Ctrl-] is how a person leaves.
        let _ = self.input.write_all(&[0x1d]).and_then(|()| self.input.flush());
        if crate::command::wait_for(Duration::from_secs(2), || self.child.try_wait().ok().flatten()).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
