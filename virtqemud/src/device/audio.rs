//! `<audio>`: QEMU's sound back ends.

use virtbus_api::Result;
use virtbus_schema::domain::device::audio::{Audio, AudioFormat, AudioKind, AudioSettings, AudioStream};
use virtbus_schema::xml::YesNo;

use super::props::{Props, props};
use super::{AddressKind, Cx, Part, QemuDevice};

props! {
    struct Settings<'a> {
        mixing_engine: Option<bool>,
        fixed_settings: Option<bool>,
        voices: Option<u32>,
        buffer_length: Option<u32>,
        frequency: Option<u32>,
        channels: Option<u32>,
        format: Option<&'static str>,
        dev: Option<&'a str>,
        buffer_count: Option<u32>,
        server_name: Option<&'a str>,
        client_name: Option<&'a str>,
        connect_ports: Option<&'a str>,
        exact_name: Option<bool>,
        try_poll: Option<bool>,
        name: Option<&'a str>,
        stream_name: Option<&'a str>,
        latency: Option<u32>,
    }

    struct Backend<'a> {
        id: String,
        driver: &'static str,
        timer_period: Option<u32>,
        path: Option<&'a str>,
        server: Option<&'a str>,
        try_mmap: Option<bool>,
        exclusive: Option<bool>,
        dsp_policy: Option<i32>,
        r#in: Option<Settings<'a>>,
        out: Option<Settings<'a>>,
    }
}

fn stream(it: &AudioStream) -> Option<Settings<'_>> {
    let AudioStream {
        mixing_engine,
        fixed_settings,
        voices,
        buffer_length,
        dev,
        buffer_count,
        server_name,
        client_name,
        connect_ports,
        exact_name,
        try_poll,
        name,
        stream_name,
        latency,
        settings,
    } = it;
    let AudioSettings { frequency, channels, format } = settings.unwrap_or_default();
    let flag = |it: &Option<YesNo>| it.map(YesNo::is_on);
    Some(Settings {
        mixing_engine: flag(mixing_engine),
        fixed_settings: flag(fixed_settings),
        voices: *voices,
        buffer_length: *buffer_length,
        frequency,
        channels,
        format: format.map(AudioFormat::as_str),
        dev: dev.as_deref(),
        buffer_count: *buffer_count,
        server_name: server_name.as_deref(),
        client_name: client_name.as_deref(),
        connect_ports: connect_ports.as_deref(),
        exact_name: flag(exact_name),
        try_poll: flag(try_poll),
        name: name.as_deref(),
        stream_name: stream_name.as_deref(),
        latency: *latency,
    })
}

impl QemuDevice for Audio {
    fn address(&self) -> AddressKind {
        AddressKind::None
    }

    fn parts(&self, _: &mut Cx<'_>) -> Result<Vec<Part>> {
        let Audio {
            id,
            kind,
            timer_period,
            try_mmap,
            exclusive,
            dsp_policy,
            driver: _,
            path,
            server_name,
            runtime_dir: _,
            input,
            output,
        } = self;
        let driver = match kind {
            AudioKind::None => "none",
            AudioKind::Alsa => "alsa",
            AudioKind::Coreaudio => "coreaudio",
            AudioKind::Jack => "jack",
            AudioKind::Oss => "oss",
            AudioKind::Pulseaudio => "pa",
            AudioKind::Sdl => "sdl",
            AudioKind::Spice => "spice",
            AudioKind::File => "wav",
            AudioKind::Dbus => "dbus",
            AudioKind::Pipewire => "pipewire",
        };
        let id = format!("audio{id}");
        let backend = Backend {
            id: id.clone(),
            driver,
            timer_period: *timer_period,
            path: path.as_deref(),
            server: server_name.as_deref(),
            try_mmap: try_mmap.map(YesNo::is_on),
            exclusive: exclusive.map(YesNo::is_on),
            dsp_policy: *dsp_policy,
            r#in: input.as_ref().and_then(stream),
            out: output.as_ref().and_then(stream),
        };
        Ok(vec![Part::Option("-audiodev", Props::new(id, &backend)?.json().get().to_owned())])
    }
}
