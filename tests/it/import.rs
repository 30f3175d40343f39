//! Tests of the import: objects in, policy file out.

mod command;
mod flux;
mod golden;
mod hostile;
mod settings;

use tagboat::import::{self, Draft, Object};

/// Every tool by the name of its fixtures' folder.
const TOOLS: &[(&str, fn(&[Object]) -> Draft)] =
    &[("flux", import::flux::import), ("argocd", import::argocd::import), ("keel", import::keel::import)];
