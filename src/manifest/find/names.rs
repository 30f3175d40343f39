//! What the keys of split forms say: `tag`, `image.tag`, `apiImageTag`, `image_tag`, taken apart.

use super::scalar::names_image;

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Tag,
    Digest,
    /// A tag under the name `version`, which much else has too: counts only below a key that names an image, or as `imageVersion`.
    Version,
}

/// How words join to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    /// `imageTag`
    Camel,
    /// `image_tag`
    Snake,
    /// `IMAGE_TAG`
    Screaming,
}

/// How sure it is that a key beside a tag holds that tag's repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    Yes,
    /// Below a key that names an image, or if the value alone tells it: much has a name.
    Vague,
    /// As above, but where all repositories are watched a host in the value is not enough: it may be a Git repository.
    Vaguest,
}

/// A key taken apart.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    /// With its last dot; may be empty.
    pub(super) prefix: &'a str,
    /// `apiImage`; may be empty.
    stem: &'a str,
    case: Case,
    pub(super) role: Role,
}

impl<'a> Name<'a> {
    pub(super) fn parse(key: &'a str) -> Option<Self> {
        let (prefix, word) = key.split_at(key.rfind('.').map_or(0, |dot| dot + 1));
        let camel = |stem, role| Some((stem, Case::Camel, role));
        let (stem, case, role) = match word {
            "tag" => camel("", Role::Tag),
            "digest" => camel("", Role::Digest),
            "version" => camel("", Role::Version),
            "TAG" => Some(("", Case::Screaming, Role::Tag)),
            "DIGEST" => Some(("", Case::Screaming, Role::Digest)),
            _ => {
                let ends = |ending, role| camel(word.strip_suffix(ending)?, role);
                let version = || ends("Version", Role::Version).filter(|(stem, ..)| names_image(stem));
                ends("Tag", Role::Tag).or_else(|| ends("Digest", Role::Digest)).or_else(version).or_else(|| underscored(word))
            }
        }?;
        Some(Self { prefix, stem, case, role })
    }

    /// Says whether the words before the role name an image.
    pub(super) fn names_image(&self) -> bool {
        names_image(self.stem)
    }

    /// Returns the name with another word in the place of its role.
    pub(super) fn with(&self, word: &str) -> String {
        let Self { prefix, stem, case, .. } = self;
        match case {
            Case::Screaming if stem.is_empty() => format!("{prefix}{}", word.to_ascii_uppercase()),
            Case::Screaming => format!("{prefix}{stem}_{}", word.to_ascii_uppercase()),
            _ if stem.is_empty() => format!("{prefix}{word}"),
            Case::Snake => format!("{prefix}{stem}_{word}"),
            Case::Camel => {
                let (first, rest) = word.split_at(word.len().min(1));
                format!("{prefix}{stem}{}{rest}", first.to_ascii_uppercase())
            }
        }
    }

    /// Returns the names under which its repository may stand, the likeliest first.
    pub(super) fn repositories(&self) -> Vec<(String, Sure)> {
        let Self { prefix, stem, .. } = self;
        let mut names = vec![(self.with("repository"), Sure::Yes)];
        if stem.is_empty() {
            names.push((self.with("image"), Sure::Yes));
            if let Some(whole) = prefix.strip_suffix('.') {
                names.push((whole.to_owned(), Sure::Yes));
            }
        } else {
            names.push((format!("{prefix}{stem}"), Sure::Yes));
            if stem.eq_ignore_ascii_case("image") {
                let short = Self { stem: "", ..*self };
                names.push((short.with("repository"), Sure::Yes));
            }
        }
        let named = names_image(stem);
        names.push((self.with("repo"), if named { Sure::Yes } else { Sure::Vaguest }));
        names.push((self.with("name"), if named { Sure::Yes } else { Sure::Vague }));
        names
    }
}

/// Takes `image_tag` and the like apart; other words than those for images have underscores too often to count.
fn underscored(word: &str) -> Option<(&str, Case, Role)> {
    const ENDINGS: [(&str, Case, Role); 6] = [
        ("_tag", Case::Snake, Role::Tag),
        ("_TAG", Case::Screaming, Role::Tag),
        ("_digest", Case::Snake, Role::Digest),
        ("_DIGEST", Case::Screaming, Role::Digest),
        ("_version", Case::Snake, Role::Version),
        ("_VERSION", Case::Screaming, Role::Version),
    ];
    let mut found = ENDINGS.iter().filter_map(|&(ending, case, role)| Some((word.strip_suffix(ending)?, case, role)));
    found.next().filter(|(stem, ..)| names_image(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repositories(key: &str) -> Vec<String> {
        Name::parse(key).map(|name| name.repositories().into_iter().map(|(key, _)| key).collect()).unwrap_or_default()
    }

    #[test]
    fn keys_tell_where_the_repository_stands() {
        assert_eq!(repositories("tag"), ["repository", "image", "repo", "name"]);
        assert_eq!(repositories("a.tag"), ["a.repository", "a.image", "a", "a.repo", "a.name"]);
        assert_eq!(repositories("imageTag"), ["imageRepository", "image", "repository", "imageRepo", "imageName"]);
        assert_eq!(repositories("api_image_tag"), ["api_image_repository", "api_image", "api_image_repo", "api_image_name"]);
        assert_eq!(repositories("IMAGE_DIGEST"), ["IMAGE_REPOSITORY", "IMAGE", "REPOSITORY", "IMAGE_REPO", "IMAGE_NAME"]);
        assert_eq!(repositories("TAG"), ["REPOSITORY", "IMAGE", "REPO", "NAME"]);
        assert_eq!(repositories("image_version"), ["image_repository", "image", "repository", "image_repo", "image_name"]);
        assert_eq!(repositories("apiImageVersion"), ["apiImageRepository", "apiImage", "apiImageRepo", "apiImageName"]);
        for other in ["apiVersion", "go_version", "tags", "git_tag", "_tag", "GIT_TAG", "image_Tags", "", "staging"] {
            assert!(repositories(other).is_empty(), "{other}");
        }
    }
}
