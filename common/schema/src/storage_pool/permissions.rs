//! `<permissions>` of a pool's directory or a volume's file.

use virtbus_xml::{Error, Escaped, Fault, Node, Value, Xml};

/// Mode, owner, group and label; what is absent is left to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Permissions::complete)]
pub struct Permissions {
    #[xml(child)]
    pub mode: Option<Mode>,
    #[xml(child)]
    pub owner: Option<OwnerId>,
    #[xml(child)]
    pub group: Option<OwnerId>,
    /// The SELinux label.
    #[xml(child)]
    pub label: Option<String>,
}

impl Permissions {
    /// -1 stands for: not said.
    fn complete(&mut self, _: Node<'_>) -> Result<(), Error> {
        self.owner = self.owner.filter(|it| *it != OwnerId::UNSAID);
        self.group = self.group.filter(|it| *it != OwnerId::UNSAID);
        Ok(())
    }
}

/// `<mode>0755</mode>`: permission bits in octal, at most 0777.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mode(pub u32);

impl Value for Mode {
    const SAMPLES: &'static [&'static str] = &["0755", "0", "777", " 00600"];
    const EMPTY_IS_ABSENT: bool = true;

    fn from_text(text: &str) -> Result<Self, Fault> {
        let digits = text.trim_start_matches([' ', '\t', '\n', '\r']);
        u32::from_str_radix(digits, 8)
            .ok()
            .filter(|it| *it <= 0o777)
            .map(Self)
            .ok_or(Fault::NotA("an octal mode up to 0777"))
    }

    fn put(&self, out: &mut Escaped<'_>) {
        out.push(&format!("0{:o}", self.0));
    }
}

/// `<owner>107</owner>`: a user's or a group's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(pub u32);

impl OwnerId {
    /// What `-1` reads as.
    const UNSAID: Self = Self(u32::MAX);
}

impl Value for OwnerId {
    const SAMPLES: &'static [&'static str] = &["107", "0", "-1", "4294967294", "4294967295"];

    fn from_text(text: &str) -> Result<Self, Fault> {
        if text.trim_start_matches([' ', '\t', '\n', '\r']) == "-1" {
            return Ok(Self::UNSAID);
        }
        u32::from_text(text).map(Self).map_err(|_| Fault::NotA("a user's or group's number, or -1"))
    }

    fn put(&self, out: &mut Escaped<'_>) {
        self.0.put(out);
    }
}
