//! From tracing's events to lines: collects the fields of the spans around an event and writes all in one piece.

use std::io::Write as _;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::fields::Fields;
use super::write::{Line, Style};

/// Writes a line for each event.
pub(super) struct LineLayer<W> {
    style: Style,
    writer: W,
}

impl<W> LineLayer<W> {
    pub(super) fn new(style: Style, writer: W) -> Self {
        Self { style, writer }
    }
}

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        // What surrounds the event comes first, the outermost span before all; the event has the last word on a name.
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer.clone());
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        fields.extend(own);

        let meta = event.metadata();
        let line = Line { at: jiff::Timestamp::now(), level: *meta.level(), target: meta.target(), fields: &fields };
        // One write a line, so that lines of several threads do not mix. Where standard error is gone there is nobody to tell.
        let _ = self.writer.make_writer_for(meta).write_all(line.render(self.style).as_bytes());
    }
}
