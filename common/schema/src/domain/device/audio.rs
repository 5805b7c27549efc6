//! `<audio>`: where the host plays and records what sound cards do.

use virtbus_xml::{Error, ErrorKind, Node, Xml, XmlEnum, YesNo};

/// `<audio id='1' type='none'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(check = Audio::check, form = Audio::form)]
pub struct Audio {
    /// From 1.
    #[xml(attr, nonzero, free, form = crate::forms::uint8)]
    pub id: u32,
    #[xml(attr = "type")]
    pub kind: AudioKind,
    /// Microseconds.
    #[xml(attr = "timerPeriod", nonzero, free, form = crate::forms::uint32)]
    pub timer_period: Option<u32>,
    /// Of OSS.
    #[xml(attr = "tryMMap")]
    pub try_mmap: Option<YesNo>,
    #[xml(attr)]
    pub exclusive: Option<YesNo>,
    #[xml(attr = "dspPolicy")]
    pub dsp_policy: Option<i32>,
    /// Of `type='sdl'`.
    #[xml(attr)]
    pub driver: Option<AudioSdlDriver>,
    /// Of `type='file'`.
    #[xml(attr, form = crate::forms::line)]
    pub path: Option<String>,
    /// Of PulseAudio.
    #[xml(attr = "serverName")]
    pub server_name: Option<String>,
    /// Of PipeWire.
    #[xml(attr = "runtimeDir")]
    pub runtime_dir: Option<String>,
    #[xml(child, omit_empty)]
    pub input: Option<AudioStream>,
    #[xml(child, omit_empty)]
    pub output: Option<AudioStream>,
}

impl Audio {
    /// Which attributes each kind has.
    fn known(kind: &str) -> &'static [&'static str] {
        match kind {
            "oss" => &["tryMMap", "exclusive", "dspPolicy"],
            "pipewire" => &["runtimeDir"],
            "pulseaudio" => &["serverName"],
            "sdl" => &["driver"],
            "file" => &["path"],
            _ => &[],
        }
    }

    /// Drops what belongs to other kinds.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a check")]
    fn check(&mut self, _: Node<'_>) -> Result<(), Error> {
        let kind = self.kind;
        if kind != AudioKind::Oss {
            (self.try_mmap, self.exclusive, self.dsp_policy) = (None, None, None);
        }
        self.driver = self.driver.filter(|_| kind == AudioKind::Sdl);
        self.path = self.path.take().filter(|_| kind == AudioKind::File);
        self.server_name = self.server_name.take().filter(|_| kind == AudioKind::Pulseaudio);
        self.runtime_dir = self.runtime_dir.take().filter(|_| kind == AudioKind::Pipewire);
        for stream in [&mut self.input, &mut self.output].into_iter().flatten() {
            stream.keep_only(kind);
        }
        self.input = self.input.take().filter(|it| *it != AudioStream::default());
        self.output = self.output.take().filter(|it| *it != AudioStream::default());
        Ok(())
    }

    fn form(node: Node<'_>) -> Result<(), Error> {
        let kind = node.attr("type").map(|it| it.value()).unwrap_or_default();
        let refuse = |node: Node<'_>, all: &[&str], known: &[&str]| {
            let stray = all.iter().find(|it| node.attr(it).is_some() && !known.contains(it));
            stray.map_or(Ok(()), |it| {
                Err(node.error(ErrorKind::Unknown, format!("{it} does not belong to audio of type {kind}")))
            })
        };
        let own = ["tryMMap", "exclusive", "dspPolicy", "driver", "path", "serverName", "runtimeDir"];
        refuse(node, &own, Self::known(kind))?;
        let of_streams = [
            "dev",
            "bufferCount",
            "serverName",
            "clientName",
            "connectPorts",
            "exactName",
            "tryPoll",
            "name",
            "streamName",
            "latency",
        ];
        for name in ["input", "output"] {
            if let Some(stream) = node.child(name) {
                refuse(stream, &of_streams, AudioStream::known(kind))?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, XmlEnum)]
pub enum AudioKind {
    #[default]
    None,
    Alsa,
    Coreaudio,
    Jack,
    Oss,
    Pulseaudio,
    Sdl,
    Spice,
    File,
    Dbus,
    Pipewire,
}

/// The sound system beneath SDL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum AudioSdlDriver {
    Esd,
    Alsa,
    Arts,
    Pulseaudio,
}

/// `<input>` or `<output>`. Which fields count depends on the kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(before = AudioStream::check_settings)]
pub struct AudioStream {
    #[xml(attr = "mixingEngine")]
    pub mixing_engine: Option<YesNo>,
    #[xml(attr = "fixedSettings")]
    pub fixed_settings: Option<YesNo>,
    #[xml(attr, free, form = crate::forms::uint32)]
    pub voices: Option<u32>,
    /// Microseconds.
    #[xml(attr = "bufferLength", free, form = crate::forms::uint32)]
    pub buffer_length: Option<u32>,
    #[xml(attr)]
    pub dev: Option<String>,
    #[xml(attr = "bufferCount", free, form = crate::forms::uint32)]
    pub buffer_count: Option<u32>,
    #[xml(attr = "serverName")]
    pub server_name: Option<String>,
    #[xml(attr = "clientName")]
    pub client_name: Option<String>,
    #[xml(attr = "connectPorts")]
    pub connect_ports: Option<String>,
    #[xml(attr = "exactName")]
    pub exact_name: Option<YesNo>,
    #[xml(attr = "tryPoll")]
    pub try_poll: Option<YesNo>,
    #[xml(attr)]
    pub name: Option<String>,
    #[xml(attr = "streamName")]
    pub stream_name: Option<String>,
    #[xml(attr, free, form = crate::forms::uint32)]
    pub latency: Option<u32>,
    #[xml(child)]
    pub settings: Option<AudioSettings>,
}

impl AudioStream {
    /// Which attributes a stream of each kind has, besides those all have.
    fn known(kind: &str) -> &'static [&'static str] {
        match kind {
            "alsa" => &["dev"],
            "pulseaudio" | "pipewire" => &["name", "streamName", "latency"],
            "sdl" | "coreaudio" => &["bufferCount"],
            "jack" => &["serverName", "clientName", "connectPorts", "exactName"],
            "oss" => &["dev", "bufferCount", "tryPoll"],
            _ => &[],
        }
    }

    /// Settings are of streams whose settings are fixed.
    fn check_settings(node: Node<'_>) -> Result<(), Error> {
        let fixed = node.attr("fixedSettings").is_some_and(|it| it.value() == "yes");
        match node.child("settings").filter(|_| !fixed) {
            Some(at) => Err(at.error(ErrorKind::Unsupported, "settings need fixedSettings='yes'")),
            None => Ok(()),
        }
    }

    fn keep_only(&mut self, kind: AudioKind) {
        let known = Self::known(kind.as_str());
        let has = |name: &str| known.contains(&name);
        self.dev = self.dev.take().filter(|_| has("dev"));
        self.buffer_count = self.buffer_count.filter(|_| has("bufferCount"));
        self.server_name = self.server_name.take().filter(|_| has("serverName"));
        self.client_name = self.client_name.take().filter(|_| has("clientName"));
        self.connect_ports = self.connect_ports.take().filter(|_| has("connectPorts"));
        self.exact_name = self.exact_name.filter(|_| has("exactName"));
        self.try_poll = self.try_poll.filter(|_| has("tryPoll"));
        self.name = self.name.take().filter(|_| has("name"));
        self.stream_name = self.stream_name.take().filter(|_| has("streamName"));
        self.latency = self.latency.filter(|_| has("latency"));
    }
}

/// `<settings frequency='44100' channels='2' format='s16'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct AudioSettings {
    #[xml(attr, free, form = crate::forms::uint32)]
    pub frequency: Option<u32>,
    #[xml(attr, free, form = crate::forms::uint32)]
    pub channels: Option<u32>,
    #[xml(attr)]
    pub format: Option<AudioFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, XmlEnum)]
pub enum AudioFormat {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    F32,
}
