//! What the process tells about itself: log lines on standard error, and the metrics' names.
//!
//! Owns the form of a log line (text for people, JSON for machines), which lines are written, and in [`metrics`] every
//! metric family. Hides how fields of spans reach the lines of the events inside them. A value from outside can never
//! end a line, forge a field or reach a terminal's control sequences.

mod fields;
mod layer;
pub mod metrics;
mod write;

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use layer::LineLayer;
use write::Style;

/// The environment variable that decides over [`Config::filter`], for the one run in which more is wanted.
pub const FILTER_VARIABLE: &str = "TAGBOAT_LOG";

/// What is written where nothing else is said.
const DEFAULT_FILTER: &str = "info";

/// How logs are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// As text for people or as JSON for machines.
    pub format: Format,
    /// Which are written: a level (`debug`) is about Tagboat itself and leaves its libraries at `warn`; anything else is
    /// in the syntax of `tracing-subscriber`'s `EnvFilter` (`info,hyper=debug`). Empty means `info`.
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

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is none.
    #[error("the log filter `{filter}` cannot be read")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// It was started before.
    #[error("logging was already started in this process")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts writing logs to standard error, for the whole process.
///
/// `variable` is the value of [`FILTER_VARIABLE`], if it is set: it decides over the policy file. Colours appear
/// only on a terminal that wants them (`NO_COLOR`, `TERM=dumb`).
///
/// # Errors
/// If the filter cannot be read, or if logging was started before.
pub fn init(config: &Config, variable: Option<&str>) -> Result<(), InitError> {
    let colours = std::io::stderr().is_terminal() && anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let filter = filter(variable.filter(|text| !text.trim().is_empty()).unwrap_or(&config.filter))?;
    // Not `try_init`: that would also take in lines of the `log` crate, where HTTP libraries write whole URLs.
    tracing::subscriber::set_global_default(subscriber(config.format, colours, filter, std::io::stderr)).map_err(InitError::Twice)
}

/// Builds what [`init`] installs, over any writer.
fn subscriber<W>(format: Format, colours: bool, filter: EnvFilter, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let style = match format {
        Format::Text => Style::Text { colours },
        Format::Json => Style::Json,
    };
    // Spans write no lines: all of ours are kept, or a warning would lose the fields of the `info` span around it.
    let spans = filter_fn(|meta| meta.is_span() && *meta.level() <= Level::INFO && is_own(meta.target()));
    tracing_subscriber::registry().with(LineLayer::new(style, writer).with_filter(filter.or(spans)))
}

/// Tells whether an event or span comes from this crate, by its target.
fn is_own(target: &str) -> bool {
    target.strip_prefix(env!("CARGO_CRATE_NAME")).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Reads a filter; see [`Config::filter`].
fn filter(text: &str) -> Result<EnvFilter, InitError> {
    let text = match text.trim() {
        "" => DEFAULT_FILTER,
        text => text,
    };
    let directives = match text.parse::<LevelFilter>() {
        // Libraries write URLs and headers below `warn`: who wants those must ask for them by name.
        Ok(level) => format!("{},tagboat={level}", level.min(LevelFilter::WARN)),
        Err(_) => text.to_owned(),
    };
    EnvFilter::builder().parse(directives).map_err(|cause| InitError::Filter { filter: text.to_owned(), cause })
}

#[cfg(test)]
mod tests;
