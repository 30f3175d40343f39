//! Where a Git repository is.
//!
//! Owns the reading of remotes. A remote holds no secret: passwords and tokens in it are refused, so that
//! it may be shown as it is.

use std::fmt;

use url::Url;

/// A place that Git can fetch from: https, http, ssh, `user@host:path` or a local path. Prints without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    place: Place,
}

/// What kind of place it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `https://` or `http://`, without `/` at the end of its path.
    Http(Url),
    /// `ssh://` or the form of scp.
    Ssh(SshPlace),
    /// A directory of this machine.
    Local(String),
}

/// A repository behind SSH. No part starts with `-`, so none can be taken for an option.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SshPlace {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl RemoteUrl {
    /// Reads a remote: `https://host/path`, `http://host/path`, `ssh://user@host:port/path`, `user@host:path`,
    /// `file:///path`, or a path that starts with `/`, `./` or `../`.
    ///
    /// # Errors
    /// If it is none of these, holds a password, or could be mistaken for a command's option.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a repository's URL cannot be empty".to_owned());
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("a repository's URL holds no spaces and no control characters".to_owned());
        }
        let place = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "https" | "http" => http(text)?,
                "ssh" => ssh_url(rest)?,
                "file" => local(rest.strip_prefix("localhost").unwrap_or(rest))?,
                "git" => return Err("git:// proves neither side's identity; use https:// or ssh://".to_owned()),
                _ => return Err(format!("no `{scheme}://` here; use https://, ssh:// or a path")),
            },
            None if text.starts_with(['/', '.']) => local(text)?,
            None => scp_form(text)?,
        };
        let text = match &place {
            Place::Http(url) => url.to_string(),
            Place::Ssh(_) | Place::Local(_) => text.to_owned(),
        };
        Ok(Self { text, place })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the path of a local remote; of any other the text, which is none.
    pub(super) fn local_path(&self) -> &str {
        match &self.place {
            Place::Local(path) => path,
            Place::Http(_) | Place::Ssh(_) => &self.text,
        }
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn http(text: &str) -> Result<Place, String> {
    // The text may hold a password, so no message repeats it.
    let mut url = Url::parse(text).map_err(|e| format!("this is no URL: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into the URL; take them out and set `auth`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a repository's URL has no `?` and no `#`".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Place::Http(url))
}

fn ssh_url(rest: &str) -> Result<Place, String> {
    let (authority, path) = rest.split_once('/').ok_or("an ssh:// URL needs a path behind the host")?;
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => Some(port.parse().map_err(|_| "the port is a number from 1 to 65535".to_owned())?),
        None => None,
    };
    let path = percent_decode(path).ok_or("the path is no UTF-8 once its percent signs are read")?;
    // As Git reads it: ssh://host/~user/x starts at that user's home, all else at the root.
    let path = if path.starts_with('~') { path } else { format!("/{path}") };
    ssh(user, host, port, path)
}

fn scp_form(text: &str) -> Result<Place, String> {
    const FORMS: &str = "write https://host/path, ssh://user@host/path, user@host:path, or a path that starts with / or ./";
    let (authority, path) = text.split_once(':').ok_or(FORMS)?;
    if authority.contains('/') {
        return Err(FORMS.to_owned());
    }
    let (user, host) = match authority.split_once('@') {
        Some((user, host)) => (Some(user), host),
        // `user:password@host:path` would come apart at the first colon.
        None if path.contains('@') => return Err("credentials do not belong into the URL; take them out and set `auth`".to_owned()),
        None => (None, authority),
    };
    ssh(user, host, None, path.to_owned())
}

fn ssh(user: Option<&str>, host: &str, port: Option<u16>, path: String) -> Result<Place, String> {
    if user.is_some_and(|user| user.contains(':')) {
        return Err("a password does not belong into the URL; set `auth` to an SSH key".to_owned());
    }
    let word = |text: &str, more: &str| {
        !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !user.is_none_or(|user| word(user, "._-+")) {
        return Err("the user name may hold letters, digits and `._-+` only".to_owned());
    }
    if !word(host, "._-:") {
        return Err("the host may hold letters, digits and `._-` only, and does not start with `-`".to_owned());
    }
    if port == Some(0) {
        return Err("the port is a number from 1 to 65535".to_owned());
    }
    if path.trim_matches('/').is_empty() || path.starts_with('-') || path.chars().any(char::is_control) {
        return Err("the path is not empty and does not start with `-`".to_owned());
    }
    Ok(Place::Ssh(SshPlace { user: user.map(str::to_owned), host: host.to_owned(), port, path }))
}

fn local(path: &str) -> Result<Place, String> {
    if path.starts_with(['/', '.']) {
        Ok(Place::Local(path.to_owned()))
    } else {
        Err("a file:// URL has three slashes: file:///path".to_owned())
    }
}

/// Decodes `%41`; none if the result is no UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    Some(percent_encoding::percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh_place(text: &str) -> (Option<String>, String, Option<u16>, String) {
        match RemoteUrl::parse(text).unwrap().place {
            Place::Ssh(at) => (at.user, at.host, at.port, at.path),
            _ => panic!("{text} is no SSH remote"),
        }
    }

    #[test]
    fn known_forms_are_read_and_shown() {
        for (text, shown) in [
            ("https://git.example.com/acme/env.git", "https://git.example.com/acme/env.git"),
            (" HTTPS://Git.Example.com:443/a/ ", "https://git.example.com/a"),
            ("http://localhost:8080/a", "http://localhost:8080/a"),
            ("ssh://git@host:2222/a.git", "ssh://git@host:2222/a.git"),
            ("git@github.com:acme/env.git", "git@github.com:acme/env.git"),
            ("/srv/env.git", "/srv/env.git"),
            ("./env.git", "./env.git"),
            ("file:///srv/env.git", "file:///srv/env.git"),
        ] {
            let url = RemoteUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }

    #[test]
    fn ssh_forms_are_taken_apart_as_git_does() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(ssh_place("ssh://git@host:2222/a/b.git"), (some("git"), "host".into(), Some(2222), "/a/b.git".into()));
        assert_eq!(ssh_place("ssh://host/~bot/a%20b"), (None, "host".into(), None, "~bot/a b".into()));
        assert_eq!(ssh_place("ssh://[::1]:22/a"), (None, "::1".into(), Some(22), "/a".into()));
        assert_eq!(ssh_place("git@host:a/b.git"), (some("git"), "host".into(), None, "a/b.git".into()));
        assert_eq!(ssh_place("host:/a"), (None, "host".into(), None, "/a".into()));
    }

    #[test]
    fn what_is_no_remote_is_refused() {
        for text in [
            "",
            "github.com/acme/env",
            "env.git",
            "git://host/a",
            "ftp://host/a",
            "https://",
            "https://host/a?token=x",
            "https://host/a b",
            "ssh://host",
            "ssh://host/",
            "ssh://host:0/a",
            "ssh://host:x/a",
            "ssh://host/%ff",
            "host:",
            "file://host/a",
            "a/b:c",
            "x\u{7}:y",
        ] {
            assert!(RemoteUrl::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for text in ["https://bot:hunter2@host/a", "https://hunter2@host/a", "ssh://git:hunter2@host/a", "git:hunter2@host:a"] {
            let message = RemoteUrl::parse(text).unwrap_err();
            assert!(message.contains("auth") && !message.contains("hunter2"), "{text}: {message}");
        }
    }

    #[test]
    fn nothing_can_be_mistaken_for_an_option() {
        for text in [
            "ssh://-oProxyCommand=x/a",
            "ssh://git@-oProxyCommand/a",
            "ssh://-l@host/a",
            "-oProxyCommand=x:a",
            "host:-a",
            "ssh://host$(x)/a",
            "git@ho;st:a",
        ] {
            assert!(RemoteUrl::parse(text).is_err(), "{text:?}");
        }
    }
}
