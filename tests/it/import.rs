//! Tests of the import: objects in, policy file out.

mod command;
mod flux;
mod golden;
mod hostile;
mod settings;

use tagboat::import::{self, Draft, Object};

/// A tool's way from objects to a draft.
type Import = fn(&[Object]) -> Draft;

/// Every tool by the name of its fixtures' folder.
const TOOLS: &[(&str, Import)] = &[("flux", import::flux::import), ("argocd", import::argocd::import), ("keel", import::keel::import)];
