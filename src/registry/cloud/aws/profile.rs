//! AWS's shared files, `~/.aws/config` and `~/.aws/credentials`
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::redact::Secret;

use super::super::error::Problem;
use super::super::surroundings::{Surroundings, file_if_there};

/// The settings of all profiles.
#[derive(Default)]
pub(super) struct Profiles(BTreeMap<String, Profile>);

/// The settings of a profile, by their names in lower case.
#[derive(Default)]
pub(super) struct Profile(BTreeMap<String, Secret>);

impl Profile {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }
}

impl Profiles {
    /// Reads both files; what stands in the one for credentials wins.
    pub(super) fn read(surroundings: &Surroundings) -> Result<Self, Problem> {
        let mut profiles = Self::default();
        for (variable, path, is_config) in
            [("AWS_CONFIG_FILE", ".aws/config", true), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false)]
        {
            let file = surroundings.get(variable).map(PathBuf::from).or_else(|| surroundings.home(path));
            if let Some(text) = file.map(|file| file_if_there(&file)).transpose()?.flatten() {
                profiles.add(text.expose(), is_config);
            }
        }
        Ok(profiles)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }

    fn add(&mut self, text: &str, is_config: bool) {
        let mut profile: Option<String> = None;
        for line in text.lines() {
            // A line that is set in belongs to a setting with parts, none of which is of use here.
            if line.starts_with([' ', '\t', '#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[') {
                profile = section.split_once(']').and_then(|(name, _)| profile_name(name.trim(), is_config)).map(str::to_owned);
            } else if let (Some(profile), Some((name, value))) = (&profile, line.split_once('=')) {
                let value = without_comment(value).trim();
                let settings = &mut self.0.entry(profile.clone()).or_default().0;
                settings.insert(name.trim().to_ascii_lowercase(), Secret::new(value));
            }
        }
    }
}

/// Returns the profile that a section is about: `[profile x]` in the config file, `[x]` in the other, `[default]` in both.
fn profile_name(section: &str, is_config: bool) -> Option<&str> {
    if !is_config || section == "default" {
        return Some(section);
    }
    let name = section.strip_prefix("profile")?;
    name.starts_with([' ', '\t']).then(|| name.trim())
}

fn without_comment(value: &str) -> &str {
    let start = [" #", " ;", "\t#", "\t;"].into_iter().filter_map(|mark| value.find(mark)).min();
    start.and_then(|start| value.get(..start)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_are_read_as_aws_reads_them() {
        let mut profiles = Profiles::default();
        let config = "# comment\nregion = lost\n[default]\nregion=eu-west-1\n\n[profile  ci ]\nRole_ARN = arn:aws:iam::1:role/a ; why\ns3 =\n  region = nested\n[sso-session x]\nregion = none\n[ci]\nregion = ignored\n[profilex]\nregion = ignored\n[broken\nregion = ignored\n";
        profiles.add(config, true);
        profiles.add("[ci]\naws_access_key_id = AKIA#1\nrole_arn = arn:aws:iam::2:role/b\n[default]\naws_secret_access_key = a=b\n", false);
        let get = |profile: &str, name: &str| profiles.get(profile).and_then(|profile| profile.get(name)).map(str::to_owned);
        assert_eq!(get("default", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(get("default", "aws_secret_access_key").as_deref(), Some("a=b"));
        assert_eq!(get("ci", "role_arn").as_deref(), Some("arn:aws:iam::2:role/b"));
        assert_eq!(get("ci", "aws_access_key_id").as_deref(), Some("AKIA#1"));
        assert_eq!(get("ci", "region"), None);
        assert_eq!(profiles.0.keys().collect::<Vec<_>>(), ["ci", "default"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\[|\\]|profile|default| |\t|=|#|;|\n|a|é){0,40}", is_config: bool) {
            Profiles::default().add(&text, is_config);
        }
    }
}
