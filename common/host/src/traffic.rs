//! Rates of network devices: how fast the host sends on one (HTB), and how fast it takes in (policing).
//!
//! The kernel speaks of this in packed structures with tables of times for each packet size, which the program `tc` knows how
//! to fill; so it is run, once for each change, with all its commands on standard input. A part that the kernel lacks is an
//! error that names it.
//!
//! ```text
//! device ── htb 1: ── 1:1 rate, ceil ─┬─ 1:2 what belongs to nobody
//!                                     ├─ 1:3 a guest with a guaranteed rate, known by its MAC address
//!        └─ clsact ffff: ── police what comes in ┴─ ...
//! ```
//!
//! Which guest is guaranteed what, the caller knows and keeps.

use std::time::Duration;

use crate::process::{OutputError, Spawn};

/// How long `tc` may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest packet that is policed, in KiB: one of segmentation offload.
const LARGEST: u64 = 64;
/// The place of the filter that fills in checksums; that of the limit on what comes in is 1.
const CHECKSUMS: u16 = 2;
/// The class of what belongs to nobody.
const DEFAULT_CLASS: u16 = 2;

/// How much may pass, in KiB and KiB/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Over time.
    pub average: u64,
    /// For a while, where the device is not busy otherwise. Only of what is sent.
    pub peak: Option<u64>,
    /// At once, at peak speed.
    pub burst: Option<u64>,
}

impl Rate {
    fn most(&self) -> u64 {
        self.peak.filter(|peak| *peak > 0).unwrap_or(self.average)
    }

    /// What a class is told of it.
    fn burst(&self) -> String {
        self.burst.filter(|burst| *burst > 0).map(|burst| format!(" burst {burst}kb")).unwrap_or_default()
    }

    /// How much a class sends before the next has its turn, in packets' sizes, as the reference has it.
    fn quantum(&self) -> u64 {
        (self.average.saturating_mul(1024) / 8 / 1500).max(1)
    }
}

/// A rate that one guest on a bridge is guaranteed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// Its class, from 3.
    pub class: u16,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// What it is guaranteed, in KiB/s.
    pub rate: u64,
    /// Its own average; its share of what is left follows it.
    pub average: u64,
}

/// Why rates could not be set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel lacks a part.
    #[error("network device '{device}': this kernel has no {part}")]
    Unsupported {
        /// The device.
        device: String,
        /// The part, in words.
        part: &'static str,
    },
    /// `tc` refused.
    #[error("network device '{device}': tc: {words}")]
    Refused {
        /// The device.
        device: String,
        /// What it said.
        words: String,
    },
    /// `tc` could not be run.
    #[error("network device '{device}'")]
    Tool {
        /// The device.
        device: String,
        /// Why not.
        source: OutputError,
    },
}

/// The result of this module's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// Sets what the host may send on `device` and what it takes in from there; `None` is without limit. With `shared`, guests
/// can be guaranteed a part of what is sent.
///
/// # Errors
/// When the kernel lacks a part, or refuses; the device then has no limits.
pub async fn set(device: &str, send: Option<&Rate>, receive: Option<&Rate>, shared: bool) -> Result<()> {
    clear(device).await?;
    let result = async {
        if let Some(rate) = send {
            run(device, &sending(device, rate, shared), "HTB (CONFIG_NET_SCH_HTB)").await?;
            // It only shares the rate among a guest's connections: a kernel without it has one queue for all.
            let leaf = if shared { DEFAULT_CLASS } else { 1 };
            fair(device, leaf).await;
        }
        if let Some(rate) = receive {
            let part = "policing of what a device takes in (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32, \
                        CONFIG_NET_ACT_POLICE)";
            run(device, &receiving(device, rate), part).await?;
        }
        Ok(())
    };
    let result = result.await;
    if result.is_err() {
        // Half of the limits is none: what was set goes, and its error would hide the first.
        let _ = clear(device).await;
    }
    result
}

/// Takes all limits of `device` away. None there is as good.
///
/// # Errors
/// When `tc` cannot be run.
pub async fn clear(device: &str) -> Result<()> {
    for which in ["root", "clsact"] {
        // Refused: there was none.
        if let Err(error @ Error::Tool { .. }) = run(device, &format!("qdisc del dev {device} {which}\n"), "").await {
            return Err(error);
        }
    }
    Ok(())
}

/// Has the host fill in the checksums of what it sends to DHCP clients of IPv4: it leaves that to the hardware, which a guest
/// has none of, and old clients look at them. [`clear`] and [`set`] take it away.
///
/// # Errors
/// When the kernel lacks a part; the device is then as it was.
pub async fn fill_checksums(device: &str) -> Result<()> {
    // Refused: it is there, for what the device takes in.
    let ours = run(device, &format!("qdisc add dev {device} clsact\n"), "").await.is_ok();
    // What is sent and what is taken in share their tables: one that names an entry by its number may hit the other's.
    if let Err(error @ Error::Tool { .. }) =
        run(device, &format!("filter del dev {device} egress prio {CHECKSUMS}\n"), "").await
    {
        return Err(error);
    }
    let filter = format!(
        "filter add dev {device} egress protocol ip prio {CHECKSUMS} u32 match ip dport 68 0xffff action csum ip and udp\n"
    );
    let result = run(device, &filter, "correction of checksums (CONFIG_NET_CLS_U32, CONFIG_NET_ACT_CSUM)").await;
    if result.is_err() && ours {
        // It would be for nothing.
        let _ = run(device, &format!("qdisc del dev {device} clsact\n"), "").await;
    }
    result
}

/// Guarantees a guest a part of what `device` sends. `whole` is what the device was [`set`] to, shared; `floors` the sum of
/// all guaranteed rates with this one.
///
/// # Errors
/// When the kernel lacks a part, or refuses.
pub async fn add_floor(device: &str, whole: &Rate, floor: &Floor, floors: u64) -> Result<()> {
    let Floor { class, mac: [a, b, c, d, e, f], rate, average } = *floor;
    let quantum = Rate { average, ..Rate::default() }.quantum();
    let most = whole.most();
    // The destination of a frame lies 14 bytes before what it carries.
    let commands = format!(
        "class replace dev {device} parent 1:1 classid 1:{class:x} htb rate {rate}kbps ceil {most}kbps quantum {quantum}\n\
         filter replace dev {device} parent 1: protocol all prio 2 handle 800::{filter:x} u32 \
         match u16 0x{a:02x}{b:02x} 0xffff at -14 match u32 0x{c:02x}{d:02x}{e:02x}{f:02x} 0xffffffff at -12 \
         flowid 1:{class:x}\n{rest}",
        filter = filter(class),
        rest = default_class(device, whole, floors),
    );
    run(device, &commands, "classifier for MAC addresses (CONFIG_NET_CLS_U32)").await?;
    fair(device, class).await;
    Ok(())
}

/// Ends a guarantee. `floors` is the sum of those that remain. One that is not there is as good as ended.
///
/// # Errors
/// When the kernel refuses to give the rest its due.
pub async fn remove_floor(device: &str, whole: &Rate, class: u16, floors: u64) -> Result<()> {
    for command in [
        format!("filter del dev {device} parent 1: prio 2 handle 800::{:x} u32\n", filter(class)),
        format!("class del dev {device} classid 1:{class:x}\n"),
    ] {
        if let Err(error @ Error::Tool { .. }) = run(device, &command, "").await {
            return Err(error);
        }
    }
    run(device, &default_class(device, whole, floors), "HTB (CONFIG_NET_SCH_HTB)").await
}

/// The number of a class's filter: the kernel counts them in 12 bits, and keeps the lower half for itself.
fn filter(class: u16) -> u16 {
    0x800 | class & 0x7ff
}

fn sending(device: &str, rate: &Rate, shared: bool) -> String {
    let Rate { average, .. } = rate;
    let (most, quantum) = (rate.most(), rate.quantum());
    let burst = rate.burst();
    let whole = if shared { "" } else { &burst };
    let mut commands = format!(
        "qdisc add dev {device} root handle 1: htb default {default}\n\
         class add dev {device} parent 1: classid 1:1 htb rate {average}kbps ceil {most}kbps{whole} quantum {quantum}\n",
        default = if shared { DEFAULT_CLASS } else { 1 },
    );
    if shared {
        commands.push_str(&format!(
            "class add dev {device} parent 1:1 classid 1:{DEFAULT_CLASS} htb rate {average}kbps ceil {most}kbps{burst} \
             quantum {quantum}\n"
        ));
    }
    commands
}

fn receiving(device: &str, rate: &Rate) -> String {
    let Rate { average, burst, .. } = *rate;
    let burst = burst.filter(|burst| *burst > 0).unwrap_or(average);
    format!(
        "qdisc add dev {device} clsact\n\
         filter add dev {device} ingress protocol all prio 1 u32 match u32 0 0 police rate {average}kbps burst {burst}kb \
         mtu {LARGEST}kb drop flowid :1\n"
    )
}

/// What belongs to nobody has what no guest is guaranteed.
fn default_class(device: &str, whole: &Rate, floors: u64) -> String {
    let (most, quantum) = (whole.most(), whole.quantum());
    let rate = if floors == 0 { whole.average } else { most.saturating_sub(floors).max(1) };
    format!(
        "class change dev {device} parent 1:1 classid 1:{DEFAULT_CLASS} htb rate {rate}kbps ceil {most}kbps{burst} \
         quantum {quantum}\n",
        burst = whole.burst(),
    )
}

async fn fair(device: &str, class: u16) {
    // The device's own queue is 1.
    let handle = class.max(2);
    let command = format!("qdisc replace dev {device} parent 1:{class:x} handle {handle:x}: sfq perturb 10\n");
    if let Err(error) = run(device, &command, "").await {
        tracing::debug!("connections do not share their rate evenly: {error}");
    }
}

async fn run(device: &str, commands: &str, part: &'static str) -> Result<()> {
    let refused = |words: String| Error::Refused { device: device.to_owned(), words };
    // The commands are lines of words.
    if device.is_empty() || device.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#' || c == '"') {
        return Err(refused("a name that no command can hold".to_owned()));
    }
    let spawn = Spawn::new("tc").args(["-batch", "-"]).env("LC_ALL", "C");
    let output = spawn.output_with_input(commands.as_bytes().to_vec(), DEADLINE).await;
    let output = output.map_err(|source| Error::Tool { device: device.to_owned(), source })?;
    if output.exit.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lacks = ["kind is unknown", "classifier not found", "load TC action", "not supported"];
    if lacks.iter().any(|words| said.contains(words)) {
        return Err(Error::Unsupported { device: device.to_owned(), part });
    }
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed without a word");
    Err(refused(first.trim_start_matches("Error: ").trim_end_matches('.').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let rate = Rate { average: 1000, peak: Some(5000), burst: Some(5120) };
        assert_eq!(
            sending("br0", &rate, true),
            "qdisc add dev br0 root handle 1: htb default 2\n\
             class add dev br0 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps quantum 85\n\
             class add dev br0 parent 1:1 classid 1:2 htb rate 1000kbps ceil 5000kbps burst 5120kb quantum 85\n"
        );
        assert!(sending("tap0", &Rate { average: 7, ..Rate::default() }, false).ends_with(
            "htb default 1\nclass add dev tap0 parent 1: classid 1:1 htb rate 7kbps ceil 7kbps quantum 1\n"
        ));
        assert!(receiving("tap0", &rate).contains("police rate 1000kbps burst 5120kb mtu 64kb drop"));
        assert!(default_class("br0", &rate, 50).contains("rate 4950kbps ceil 5000kbps"));
        assert!(default_class("br0", &rate, 0).contains("rate 1000kbps"));
    }

    /// In a network of the thread's own; the kernel's lacks are passed over, not its refusals.
    #[test]
    fn the_kernel_takes_them() {
        let thread = std::thread::spawn(|| {
            if nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_err()
                || crate::process::find_program("tc").is_none()
            {
                return;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(in_the_kernel());
        });
        thread.join().expect("the test holds");
    }

    async fn in_the_kernel() {
        let passes = |result: Result<()>| match result {
            Ok(()) => true,
            Err(Error::Unsupported { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        let mut netlink = crate::netlink::Netlink::open().expect("a socket");
        netlink.add_veth("vba", "vbb").expect("made");
        let rate = Rate { average: 1000, peak: Some(5000), burst: Some(5120) };
        clear("vba").await.expect("nothing there");
        if !passes(set("vba", Some(&rate), None, true).await) {
            return;
        }
        let floor = Floor { class: 3, mac: [0x52, 0x54, 0, 1, 2, 3], rate: 50, average: 100 };
        if passes(add_floor("vba", &rate, &floor, 50).await) {
            let shown = Spawn::new("tc").args(["class", "show", "dev", "vba"]).output(DEADLINE).await.expect("shown");
            let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
            assert!(
                shown.contains("class htb 1:3 parent 1:1") && shown.contains("rate 39600Kbit ceil 40Mbit"),
                "{shown}"
            );
            add_floor("vba", &rate, &Floor { rate: 70, ..floor }, 70).await.expect("changed");
            remove_floor("vba", &rate, 3, 0).await.expect("ended");
            remove_floor("vba", &rate, 3, 0).await.expect("already ended");
        }
        passes(fill_checksums("vba").await);
        clear("vba").await.expect("cleared");
        passes(fill_checksums("vba").await);
        passes(set("vba", Some(&rate), Some(&rate), false).await);
        clear("vba").await.expect("cleared");
        assert!(matches!(set("no-such", Some(&rate), None, false).await, Err(Error::Refused { .. })));
    }
}
