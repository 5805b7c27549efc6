//! Logs in libvirt's format, at libvirt's levels, to libvirt's outputs.
//!
//! A line reads `2026-11-21 08:03:23.741+0000: TID: level : module:line : text`. Levels are 1 debug, 2 info, 3 warning,
//! 4 error. What is logged can be changed while running (SIGHUP, virt-admin). An output that is late or full loses lines;
//! it never stops the daemon.

mod line;
mod output;
mod rules;

use std::io;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub use rules::{Level, RuleError, Rules};

use output::Sink;

/// The log of this process, once started.
static LOG: OnceLock<Log> = OnceLock::new();

/// What each output begins with.
static BANNER: OnceLock<Vec<String>> = OnceLock::new();

/// A handle on the process's log.
#[derive(Debug, Clone)]
pub struct Log(Arc<RwLock<Active>>);

#[derive(Debug)]
struct Active {
    rules: Rules,
    sinks: Vec<Sink>,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A level, filter or output is malformed.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// An output cannot be opened.
    #[error("cannot log to {output}")]
    Output {
        /// The output.
        output: String,
        /// Why.
        source: io::Error,
    },
    /// The process logs already, by other means.
    #[error("logging has been set up before")]
    Twice,
}

impl Log {
    /// Starts to log by `rules`; panics and everything that uses `tracing` end up there. Each output begins with the lines
    /// of `banner`, once there is something to log at all.
    ///
    /// # Errors
    /// When an output cannot be opened, or the process logs already.
    pub fn start(rules: Rules, banner: Vec<String>) -> Result<Self, LogError> {
        BANNER.set(banner).map_err(|_| LogError::Twice)?;
        let sinks = open(&rules)?;
        let log = Self(Arc::new(RwLock::new(Active { rules, sinks })));
        LOG.set(log.clone()).map_err(|_| LogError::Twice)?;
        let subscriber = tracing_subscriber::registry().with(log.clone());
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            tracing::error!("{panic}");
            if cfg!(test) {
                previous(panic);
            }
        }));
        Ok(log)
    }

    /// The log that [`Log::start`] started.
    pub fn current() -> Option<Self> {
        LOG.get().cloned()
    }

    /// The rules in force.
    pub fn rules(&self) -> Rules {
        self.0.read().unwrap_or_else(PoisonError::into_inner).rules.clone()
    }

    /// Logs by other rules from now on. Nothing changes if that fails.
    ///
    /// # Errors
    /// When an output cannot be opened.
    pub fn change(&self, rules: Rules) -> Result<(), LogError> {
        let sinks = open(&rules)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Active { rules, sinks };
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let active = self.0.read().unwrap_or_else(PoisonError::into_inner);
        active.rules.wants(metadata.target(), Level::of(*metadata.level()))
    }
}

fn open(rules: &Rules) -> Result<Vec<Sink>, LogError> {
    let open = |output: &rules::Output| {
        Sink::open(output).map_err(|source| LogError::Output { output: output.to_string(), source })
    };
    rules.outputs().iter().map(open).collect()
}

impl<S> Layer<S> for Log
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Spans carry the fields that their events are logged with.
        if metadata.is_span() || self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() || self.wants(metadata)
    }

    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, id: &tracing::Id, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(line::SpanFields::of(attributes));
        }
    }

    fn on_record(&self, id: &tracing::Id, values: &tracing::span::Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<line::SpanFields>()
        {
            fields.record(values);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let level = Level::of(*event.metadata().level());
        let spans = cx.event_scope(event).map(|scope| {
            let fields = |span: tracing_subscriber::registry::SpanRef<'_, S>| {
                span.extensions().get::<line::SpanFields>().map(ToString::to_string).unwrap_or_default()
            };
            scope.from_root().map(fields).filter(|fields| !fields.is_empty()).collect::<Vec<_>>().join(" ")
        });
        let text = line::of_event(event, spans.as_deref().unwrap_or_default());
        let active = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for sink in &active.sinks {
            sink.write(level, event.metadata(), &text);
        }
    }
}
