//! What ImageRepositories say of their hosts, brought together: a host has one table.

use std::collections::BTreeMap;

use super::fields::Fields;
use crate::import::{Line, RegistryDraft};

/// The settings of each host, with the object that each comes from.
#[derive(Default)]
pub(super) struct Hosts(BTreeMap<String, Vec<(Line, String)>>);

impl Hosts {
    /// Sets a key of a host. Where it was set otherwise already, the first stays, and the object is told to have lost.
    pub(super) fn set(&mut self, host: &str, line: Line, fields: &mut Fields<'_, '_>, field: &str) {
        let lines = self.0.entry(host.to_owned()).or_default();
        match lines.iter().find(|(known, _)| known.key == line.key) {
            None => lines.push((line, fields.object.title())),
            Some((known, _)) if known.value == line.value => {}
            Some((known, from)) => {
                let reason = format!("all that is asked of {host} has one `{}`, and {from} sets another", known.key);
                fields.lost(field, &reason, &format!("one `{}` that serves both", known.key));
            }
        }
    }

    pub(super) fn into_registries(self) -> Vec<RegistryDraft> {
        let registry = |(host, lines): (String, Vec<(Line, String)>)| {
            let lines = lines.into_iter().map(|(line, _)| line).collect();
            RegistryDraft { host, lines }
        };
        self.0.into_iter().map(registry).collect()
    }
}
