//! `<audio>`: where the host plays and records what sound cards do.

use virtbus_xml::{Xml, XmlEnum, YesNo};

/// `<audio id='1' type='none'>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Audio {
    /// From 1.
    #[xml(attr)]
    pub id: u32,
    #[xml(attr = "type")]
    pub kind: AudioKind,
    /// Microseconds.
    #[xml(attr = "timerPeriod")]
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
    #[xml(attr)]
    pub path: Option<String>,
    /// Of PulseAudio.
    #[xml(attr = "serverName")]
    pub server_name: Option<String>,
    /// Of PipeWire.
    #[xml(attr = "runtimeDir")]
    pub runtime_dir: Option<String>,
    #[xml(child)]
    pub input: Option<AudioStream>,
    #[xml(child)]
    pub output: Option<AudioStream>,
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
pub struct AudioStream {
    #[xml(attr = "mixingEngine")]
    pub mixing_engine: Option<YesNo>,
    #[xml(attr = "fixedSettings")]
    pub fixed_settings: Option<YesNo>,
    #[xml(attr)]
    pub voices: Option<u32>,
    /// Microseconds.
    #[xml(attr = "bufferLength")]
    pub buffer_length: Option<u32>,
    #[xml(attr)]
    pub dev: Option<String>,
    #[xml(attr = "bufferCount")]
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
    #[xml(attr)]
    pub latency: Option<u32>,
    #[xml(child)]
    pub settings: Option<AudioSettings>,
}

/// `<settings frequency='44100' channels='2' format='s16'/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct AudioSettings {
    #[xml(attr)]
    pub frequency: Option<u32>,
    #[xml(attr)]
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
