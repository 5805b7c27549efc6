//! What is logged where: level, filters and outputs, from the configuration and the environment.
//!
//! `LIBVIRT_DEBUG`, `LIBVIRT_LOG_FILTERS` and `LIBVIRT_LOG_OUTPUTS` overrule the configuration, as they do in libvirt.

use std::fmt;
use std::path::PathBuf;

use crate::config::DaemonConfig;

/// libvirt's levels, low to high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 1
    Debug = 1,
    /// 2
    Info = 2,
    /// 3
    Warning = 3,
    /// 4
    Error = 4,
}

impl Level {
    /// The level of a `tracing` event; its trace is debug here.
    pub fn of(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Self::Debug,
        }
    }

    /// The level with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warning, Self::Error].into_iter().find(|level| *level as u32 == number)
    }

    /// The name in a log line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "1" | "debug" => Some(Self::Debug),
            "2" | "info" => Some(Self::Info),
            "3" | "warning" => Some(Self::Warning),
            "4" | "error" => Some(Self::Error),
            _ => None,
        }
    }
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Stderr,
    File(PathBuf),
    Syslog(String),
    Journald,
}

/// One output and the lowest level it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) level: Level,
    pub(super) target: Target,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level as u32;
        match &self.target {
            Target::Stderr => write!(f, "{level}:stderr"),
            Target::File(path) => write!(f, "{level}:file:{}", path.display()),
            Target::Syslog(name) => write!(f, "{level}:syslog:{name}"),
            Target::Journald => write!(f, "{level}:journald"),
        }
    }
}

/// A malformed level, filter or output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a level.
    #[error("invalid log level {0:?}: 1 (debug) to 4 (error) are known")]
    Level(String),
    /// Not `LEVEL:match`.
    #[error("invalid log filter {0:?}: expected LEVEL:match")]
    Filter(String),
    /// Not one of the outputs.
    #[error("invalid log output {0:?}: expected LEVEL:stderr, LEVEL:file:/PATH, LEVEL:syslog:NAME or LEVEL:journald")]
    Output(String),
}

/// Level, filters and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    level: Level,
    filters: Vec<(Level, String)>,
    outputs: Vec<Output>,
}

impl Default for Rules {
    /// Warnings and errors to standard error.
    fn default() -> Self {
        let outputs = vec![Output { level: Level::Debug, target: Target::Stderr }];
        Self { level: Level::Warning, filters: Vec::new(), outputs }
    }
}

impl Rules {
    /// The rules of a daemon: its configuration, `--verbose`, and over both the environment.
    ///
    /// # Errors
    /// For what is malformed in the configuration; malformed variables are ignored, as by libvirt.
    pub fn new(config: &DaemonConfig, verbose: bool) -> Result<Self, RuleError> {
        Self::with_variables(config, verbose, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn with_variables(
        config: &DaemonConfig,
        verbose: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, RuleError> {
        let mut rules = Self::default();
        if let Some(number) = config.log_level {
            rules.level = Level::from_number(number).ok_or_else(|| RuleError::Level(number.to_string()))?;
        }
        if let Some(filters) = &config.log_filters {
            rules.filters = parse_filters(filters)?;
        }
        if let Some(outputs) = config.log_outputs.as_deref().filter(|outputs| !outputs.trim().is_empty()) {
            rules.outputs = parse_outputs(outputs)?;
        }
        if verbose {
            rules.level = rules.level.min(Level::Info);
        }
        if let Some(level) = variable("LIBVIRT_DEBUG").as_deref().and_then(Level::parse) {
            rules.level = level;
        }
        if let Some(filters) = variable("LIBVIRT_LOG_FILTERS").and_then(|it| parse_filters(&it).ok()) {
            rules.filters = filters;
        }
        if let Some(outputs) = variable("LIBVIRT_LOG_OUTPUTS").and_then(|it| parse_outputs(&it).ok()) {
            rules.outputs = outputs;
        }
        Ok(rules)
    }

    /// The lowest level that is logged where no filter says otherwise.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Changes that level.
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// The filters as text, `LEVEL:match` separated by spaces.
    pub fn filters_text(&self) -> String {
        let texts: Vec<_> = self.filters.iter().map(|(level, part)| format!("{}:{part}", *level as u32)).collect();
        texts.join(" ")
    }

    /// Replaces the filters.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn set_filters(&mut self, text: &str) -> Result<(), RuleError> {
        self.filters = parse_filters(text)?;
        Ok(())
    }

    /// The outputs as text.
    pub fn outputs_text(&self) -> String {
        self.outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Replaces the outputs.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn set_outputs(&mut self, text: &str) -> Result<(), RuleError> {
        self.outputs = parse_outputs(text)?;
        Ok(())
    }

    pub(super) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Whether an event of `module` at `level` is logged by any output; the first filter that matches decides.
    pub(super) fn wants(&self, module: &str, level: Level) -> bool {
        let filter = self.filters.iter().find(|(_, part)| module.contains(part.as_str()));
        level >= filter.map_or(self.level, |(lowest, _)| *lowest) && self.outputs.iter().any(|it| level >= it.level)
    }
}

fn parse_filters(text: &str) -> Result<Vec<(Level, String)>, RuleError> {
    let parse = |word: &str| {
        let (level, part) = word.split_once(':')?;
        let part = part.strip_prefix('+').unwrap_or(part);
        (!part.is_empty()).then_some((Level::parse(level)?, part.replace('.', "::")))
    };
    text.split_whitespace().map(|word| parse(word).ok_or_else(|| RuleError::Filter(word.to_owned()))).collect()
}

fn parse_outputs(text: &str) -> Result<Vec<Output>, RuleError> {
    let parse = |word: &str| {
        let (level, rest) = word.split_once(':')?;
        let target = match rest.split_once(':') {
            None if rest == "stderr" => Target::Stderr,
            None if rest == "journald" => Target::Journald,
            Some(("file", path)) if path.starts_with('/') => Target::File(path.into()),
            Some(("syslog", name)) if !name.is_empty() => Target::Syslog(name.to_owned()),
            _ => return None,
        };
        Some(Output { level: Level::parse(level)?, target })
    };
    text.split_whitespace().map(|word| parse(word).ok_or_else(|| RuleError::Output(word.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(config: &DaemonConfig, verbose: bool, variables: &[(&str, &str)]) -> Result<Rules, RuleError> {
        let value = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        Rules::with_variables(config, verbose, value)
    }

    #[test]
    fn the_environment_overrules_the_file() {
        let config = DaemonConfig {
            log_level: Some(4),
            log_filters: Some("1:qmp 3:rpc.server".to_owned()),
            log_outputs: Some("2:file:/var/log/x.log 1:stderr".to_owned()),
            ..DaemonConfig::default()
        };
        let told = rules(&config, false, &[]).expect("well formed");
        assert_eq!(told.level(), Level::Error);
        assert_eq!(told.filters_text(), "1:qmp 3:rpc::server");
        assert_eq!(told.outputs_text(), "2:file:/var/log/x.log 1:stderr");
        assert!(told.wants("virtbus_qmp::client", Level::Debug));
        assert!(!told.wants("virtbus_rpc::server", Level::Info) && !told.wants("virtqemud", Level::Warning));
        assert_eq!(rules(&config, true, &[]).expect("well formed").level(), Level::Info);
        let debug = rules(&config, false, &[("LIBVIRT_DEBUG", "debug"), ("LIBVIRT_LOG_OUTPUTS", "nonsense")]);
        assert_eq!(debug.expect("well formed").level(), Level::Debug);
    }

    #[test]
    fn malformed_rules_are_refused() {
        for (text, error) in [("x:y", "x:y"), ("1:file:relative", "1:file:relative"), ("stderr", "stderr")] {
            assert_eq!(parse_outputs(text), Err(RuleError::Output(error.to_owned())));
        }
        assert_eq!(parse_filters("1:"), Err(RuleError::Filter("1:".to_owned())));
        let config = DaemonConfig { log_level: Some(9), ..DaemonConfig::default() };
        assert_eq!(rules(&config, false, &[]), Err(RuleError::Level("9".to_owned())));
    }
}
