//! Logs. (contract)

/// How logs are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// As text for people or as JSON for machines.
    pub format: Format,
    /// Which are written, in the syntax of `tracing-subscriber`'s `EnvFilter`: `info`, `tagboat=debug`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Readable alone, in the manner of logfmt.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
