//! What rows need on the host: images, directories, servers. Each is made when its name is first met in a row, and goes with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use virtbus_tests::world::{Door, World};
use xtask::command::{program, wait_for};

/// The size of every image.
const BYTES: u64 = 8 << 20;
/// What opens the encrypted image.
const PASSPHRASE: &str = "open-sesame";
const SECRET: &str = "5f1a8f5e-7d4f-4d7b-9d8a-0b0c0d0e0f10";

/// The fixtures of one row.
pub(super) struct Fixtures<'a> {
    world: &'a World,
    row: &'static str,
    made: BTreeMap<String, String>,
    serving: Vec<Child>,
    loops: Vec<String>,
}

impl<'a> Fixtures<'a> {
    pub(super) fn new(world: &'a World, row: &'static str) -> Self {
        Self { world, row, made: BTreeMap::new(), serving: Vec::new(), loops: Vec::new() }
    }

    /// The text with every `{name}` replaced. Other braces stay.
    pub(super) fn fill(&mut self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled += before;
            let name = after.split_once('}').map_or("", |it| it.0);
            let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
            if is_name {
                filled += &self.fixture(name)?;
                rest = &after[name.len() + 1..];
            } else {
                filled.push('{');
                rest = after;
            }
        }
        Ok(filled + rest)
    }

    fn fixture(&mut self, name: &str) -> Result<String, String> {
        if let Some(made) = self.made.get(name) {
            return Ok(made.clone());
        }
        let made = self.make(name)?;
        self.made.insert(name.to_owned(), made.clone());
        Ok(made)
    }

    /// What is read and written.
    fn make(&mut self, name: &str) -> Result<String, String> {
        let file = |this: &Self, name: &str| this.directory().join(name).display().to_string();
        match name {
            // Images that begin with the word `virtbus-disk`.
            "raw" | "second" | "third" => Ok(self.image(name)),
            "qcow2" => {
                let raw = self.image("qcow2.raw");
                let path = file(self, name);
                self.run("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", &raw, &path])?;
                Ok(path)
            }
            // A whole floppy disk.
            "floppy" => {
                let path = self.image(name);
                self.run("truncate", &["-s", "1474560", &path])?;
                Ok(path)
            }
            "base" => Ok(self.image("base")),
            // Two layers over `{base}`.
            "overlay" => {
                let base = self.fixture("base")?;
                let (middle, top) = (file(self, "middle"), file(self, name));
                self.run("qemu-img", &["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &base, &middle])?;
                self.run("qemu-img", &["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &middle, &top])?;
                Ok(top)
            }
            "luks" | "encrypted" => {
                let path = file(self, name);
                let secret = format!("secret,id=s,data={PASSPHRASE}");
                let size = BYTES.to_string();
                let options: &[&str] = if name == "luks" {
                    &["-f", "luks", "-o", "key-secret=s,iter-time=10"]
                } else {
                    &["-f", "qcow2", "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"]
                };
                self.run("qemu-img", &[&["create", "-q", "--object", &secret], options, &[&path, &size]].concat())?;
                Ok(path)
            }
            // A block device of the host's.
            "loop" => {
                let raw = self.image("loop.raw");
                let device = self.run("losetup", &["--find", "--show", &raw])?;
                self.loops.push(device.clone());
                Ok(device)
            }
            // A volume `disk` in this pool.
            "pool" => {
                let name = format!("pool-{}", self.row);
                let target = file(self, &name);
                fs::create_dir(&target).map_err(|why| why.to_string())?;
                self.world.try_virsh(Door::Proxy, &["pool-create-as", &name, "dir", "--target", &target])?;
                self.world.try_virsh(Door::Proxy, &["vol-create-as", &name, "disk", "8M", "--format", "qcow2"])?;
                Ok(name)
            }
            // A file of a memory device's size.
            "pmem" => {
                let path = file(self, name);
                self.run("truncate", &["-s", "134217728", &path])?;
                Ok(path)
            }
            // An ACPI table: a header of 36 bytes whose bytes add up to nothing.
            "slic" => {
                let path = file(self, name);
                let mut table = *b"SLIC\x24\0\0\0\x01\0VBUS  VIRTBUS \x01\0\0\0VBUS\x01\0\0\0";
                table[9] = table.iter().fold(0u8, |sum, it| sum.wrapping_sub(*it));
                fs::write(&path, table).map_err(|why| why.to_string())?;
                Ok(path)
            }
            _ => self.make_server(name),
        }
    }

    /// What answers at a port, a socket or a pipe.
    fn make_server(&mut self, name: &str) -> Result<String, String> {
        let file = |this: &Self, name: &str| this.directory().join(name).display().to_string();
        match name {
            // A disk served by NBD at a port, and at a socket.
            "nbdport" => {
                let raw = self.image("nbd.raw");
                self.serve("qemu-nbd", &["-t", "-f", "raw", "-x", "disk", "-p", "10809", &raw], "10809")
            }
            "nbdsocket" => {
                let raw = self.image("nbd.raw");
                let socket = file(self, "nbd.sock");
                self.serve("qemu-nbd", &["-t", "-f", "raw", "-k", &socket, &raw], &socket)?;
                self.open_to_all(&socket)
            }
            // A vhost-user disk at a socket.
            "vhostdisk" => {
                let raw = self.image("vhost.raw");
                let socket = file(self, "vhost.sock");
                let blockdev = format!("driver=file,node-name=disk,filename={raw}");
                let export =
                    format!("vhost-user-blk,id=x,node-name=disk,writable=on,addr.type=unix,addr.path={socket}");
                self.serve("qemu-storage-daemon", &["--blockdev", &blockdev, "--export", &export], &socket)?;
                self.open_to_all(&socket)
            }
            // A socket of the host's at which somebody listens: what is said there is in `{dir}/heard`.
            "listener" => {
                let socket = file(self, "listener.sock");
                let heard = file(self, "heard");
                self.serve(
                    "socat",
                    &["-u", &format!("UNIX-LISTEN:{socket},fork"), &format!("CREATE:{heard}")],
                    &socket,
                )?;
                self.open_to_all(&socket)
            }
            "tcplistener" => {
                let heard = file(self, "heard");
                self.serve(
                    "socat",
                    &["-u", "TCP-LISTEN:20001,bind=127.0.0.1,reuseaddr", &format!("CREATE:{heard}")],
                    "20001",
                )
            }
            "udplistener" => {
                let heard = file(self, "heard");
                self.serve("socat", &["-u", "UDP-RECV:20002,bind=127.0.0.1", &format!("CREATE:{heard}")], "20002")
            }
            // A pair of pipes `pipe.in` and `pipe.out`.
            "pipe" => {
                let path = file(self, "pipe");
                for end in ["in", "out"] {
                    self.run("mkfifo", &["-m", "666", &format!("{path}.{end}")])?;
                }
                Ok(path)
            }
            // Bytes without end, by the protocol of the entropy gathering daemon, at a port.
            "egd" => {
                self.serve("socat", &["TCP-LISTEN:20003,bind=127.0.0.1,reuseaddr,fork", "EXEC:cat /dev/zero"], "20003")
            }
            // A way out of the stack's network: an address and a default route.
            "uplink" => {
                let script = "ip link show uplink 2>/dev/null || { ip link add uplink type veth peer name elsewhere && \
                              ip link set elsewhere up && ip link set uplink up && ip addr add 203.0.113.1/24 dev uplink && \
                              ip route add default via 203.0.113.254; }";
                let out = self.world.stack.inside("sh").args(["-c", script]).output().map_err(|why| why.to_string())?;
                if out.status.success() {
                    Ok("a network with a way out".to_owned())
                } else {
                    Err(String::from_utf8_lossy(&out.stderr).into_owned())
                }
            }
            _ => self.make_other(name),
        }
    }

    /// Names, directories, days.
    fn make_other(&mut self, name: &str) -> Result<String, String> {
        match name {
            // A directory of the row's own.
            "dir" => Ok(self.directory().display().to_string()),
            // Where the daemon keeps what runs.
            "run" => Ok(self.world.stack.root().join("run/libvirt/qemu").display().to_string()),
            // The row's own name, for what must be unique on the host.
            "unique" => Ok(format!("virtbus-{}-{}", std::process::id(), self.row)),
            "user" => Ok("libvirt-qemu".to_owned()),
            "secret" => {
                let usage = "<usage type='volume'><volume>/encrypted</volume></usage>";
                let document = format!("<secret ephemeral='no' private='no'><uuid>{SECRET}</uuid>{usage}</secret>");
                self.world.write("secret.xml", &document);
                self.world.try_virsh(Door::Proxy, &["secret-define", "secret.xml"])?;
                self.world.write("passphrase", PASSPHRASE);
                self.world.try_virsh(Door::Proxy, &["secret-set-value", SECRET, "--plain", "--file", "passphrase"])?;
                Ok(SECRET.to_owned())
            }
            // A directory with a file `greeting`.
            "shared" => {
                let path = self.directory().join("shared");
                fs::create_dir_all(&path).map_err(|why| why.to_string())?;
                fs::write(path.join("greeting"), "hello from the host\n").map_err(|why| why.to_string())?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).map_err(|why| why.to_string())?;
                Ok(path.display().to_string())
            }
            // The day in ten days.
            "tendays" => self.run("date", &["-u", "-d", "+10 days", "+%F"]),
            _ => Err(format!("no fixture {name}")),
        }
    }

    fn directory(&self) -> PathBuf {
        let path = self.world.files().join(self.row);
        if fs::create_dir_all(&path).is_ok() {
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o777));
        }
        path
    }

    fn image(&self, name: &str) -> String {
        let path = self.directory().join(format!("{name}.raw"));
        if !path.exists() {
            fs::write(&path, format!("{:<512}", "virtbus-disk")).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_len(BYTES).unwrap();
        }
        path.display().to_string()
    }

    fn run(&self, name: &str, args: &[&str]) -> Result<String, String> {
        let out = program(name).args(args).output().map_err(|why| format!("{name}: {why}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if out.status.success() { Ok(text(&out.stdout)) } else { Err(format!("{name}: {}", text(&out.stderr))) }
    }

    /// Starts a server in the stack's network and waits until it serves at that port or socket, which comes back.
    fn serve(&mut self, name: &str, args: &[&str], at: &str) -> Result<String, String> {
        let mut command = self.world.stack.inside(name);
        let log = fs::File::create(self.directory().join("server.log")).map_err(|why| why.to_string())?;
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.serving.push(command.spawn().map_err(|why| format!("{name}: {why}"))?);
        let serves = || {
            if at.starts_with('/') {
                return std::path::Path::new(at).exists().then_some(());
            }
            let sockets = self.world.stack.inside("ss").args(["-Hlnatu"]).output().ok()?;
            String::from_utf8_lossy(&sockets.stdout).contains(&format!(":{at} ")).then_some(())
        };
        wait_for(Duration::from_secs(10), serves).ok_or_else(|| {
            let log = fs::read_to_string(self.directory().join("server.log")).unwrap_or_default();
            format!("{name} does not serve at {at}: {log}")
        })?;
        Ok(at.to_owned())
    }

    fn open_to_all(&self, socket: &str) -> Result<String, String> {
        fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).map_err(|why| why.to_string())?;
        Ok(socket.to_owned())
    }
}

impl Drop for Fixtures<'_> {
    fn drop(&mut self) {
        for server in &mut self.serving {
            let _ = server.kill();
            let _ = server.wait();
        }
        for device in &self.loops {
            let _ = self.run("losetup", &["--detach", device]);
        }
        if let Some(pool) = self.made.get("pool") {
            let _ = self.world.try_virsh(Door::Proxy, &["pool-destroy", pool]);
        }
        let _ = fs::remove_dir_all(self.directory());
    }
}
