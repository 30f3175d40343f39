//! `tagboat registry test`: what happens between Tagboat and a registry, step by step.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde::Serialize;

use super::output::{ADDED, ERROR, FAINT, Format, HINT, STRONG, WARNING, count, out};
use super::{Exit, block_on, quiet_logs, registries};
use crate::config::Settings;
use crate::error::{Classified, chain};
use crate::image::{Reference, Repository, Tag, TagRef};
use crate::registry::{self, Auth, Client, Content, Event, Exchange, HostState, Listener, Listing, Proxy};

/// Find out why a registry does not do what it should
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Test(Test),
}

/// Show step by step how a repository is read: name, login, token, pages, digest, limits
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tagboat registry test ghcr.io/acme/api
  tagboat registry test nginx:1.27 --image
  tagboat registry test registry.example.com/web --format json

Every request is shown with what authenticated it and what came back; secrets are not.
A policy file is used if there is one, so the login is the one that `run` uses.")]
struct Test {
    /// The repository, or a reference whose tag is looked at
    repository: String,
    /// Read the image behind the tag, too: its platforms, its age, when it was pushed; counts as a pull at Docker Hub
    #[arg(long)]
    image: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How long the resolution of a name may take.
const RESOLUTION: Duration = Duration::from_secs(10);

pub(super) fn execute(args: &Args, settings: Option<Settings>) -> anyhow::Result<Exit> {
    quiet_logs("warn")?;
    let Command::Test(test) = &args.command;
    let reference = Reference::parse(&test.repository)?;
    let config = registries(settings)?;
    let report = block_on(examine(test, &reference, config))??;
    match test.format {
        Format::Json => out!("{}", serde_json::to_string_pretty(&report)?),
        Format::Text => {}
    }
    Ok(if report.steps.iter().all(|step| step.error.is_none()) { Exit::Done } else { Exit::Failed })
}

/// All that was found out.
#[derive(Debug, Serialize)]
struct Report {
    repository: String,
    steps: Vec<Step>,
    /// How it stands with the registry afterwards.
    registry: Option<HostState>,
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    /// What it came to.
    result: Option<String>,
    error: Option<String>,
    hint: Option<String>,
    /// Where the credential came from that was used in it, if one was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    requests: Vec<Exchange>,
}

impl Step {
    fn done(step: &'static str, result: String) -> Self {
        Self { step, result: Some(result), error: None, hint: None, credential: None, requests: Vec::new() }
    }

    fn of<T, E: Classified>(step: &'static str, result: &Result<T, E>, tell: impl FnOnce(&T) -> String) -> Self {
        match result {
            Ok(value) => Self::done(step, tell(value)),
            Err(error) => {
                let (text, hint) = (chain(error).to_string(), error.hint());
                Self { error: Some(text), hint, result: None, ..Self::done(step, String::new()) }
            }
        }
    }
}

/// Goes through the steps, and tells each as it ends.
struct Examination {
    format: Format,
    events: Arc<Mutex<Vec<Event>>>,
    steps: Vec<Step>,
}

impl Examination {
    /// Takes a step that has ended, with what passed meanwhile.
    fn take(&mut self, mut step: Step) {
        let events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        for event in events {
            match event {
                Event::Exchange(exchange) => step.requests.push(exchange),
                Event::Credential(source) => {
                    step.credential = Some(source.map_or_else(|| "none, anonymous".to_owned(), |source| source.to_string()));
                }
            }
        }
        if self.format == Format::Text {
            let before = self.steps.iter().rev().find_map(|step| step.credential.as_ref());
            print(&step, step.credential.as_ref().filter(|credential| before != Some(credential)));
        }
        self.steps.push(step);
    }

    /// Ends with what was learned about limits.
    fn report(mut self, repository: &Repository, client: Option<&Client>) -> Report {
        let registry = client.and_then(|client| client.states().into_iter().find(|state| state.requests > 0));
        if let Some(state) = &registry {
            self.take(Step::done("limits", limits(state)));
        }
        Report { repository: repository.to_string(), steps: self.steps, registry }
    }
}

async fn examine(test: &Test, reference: &Reference, mut config: registry::Config) -> Result<Report, registry::Error> {
    let repository = reference.repository();
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let told = Arc::clone(&events);
    config.listener = Some(Listener::new(move |event| told.lock().unwrap_or_else(PoisonError::into_inner).push(event)));
    let mut all = Examination { format: test.format, events, steps: Vec::new() };
    if test.format == Format::Text {
        out!("{STRONG}{repository}{STRONG:#}");
    }
    all.take(Step::done("settings", settings(repository, &config)));
    if let Some((host, proxied)) = host_to_resolve(repository, &config) {
        let name = if proxied { Step::done("name", format!("{host} is for the proxy to find")) } else { resolve(&host).await };
        let found = name.error.is_none();
        all.take(name);
        if !found {
            return Ok(all.report(repository, None));
        }
    }

    let client = Client::new(config)?;
    let greeting = client.ping(repository.registry()).await;
    all.take(Step::of("greeting", &greeting, ToString::to_string));
    if greeting.is_err_and(|error| error.is_of_the_host()) {
        // Whatever comes next would fail alike.
        return Ok(all.report(repository, Some(&client)));
    }
    let listing = client.list(repository, None).await;
    all.take(Step::of("tags", &listing, tags));
    if let Ok(listing) = &listing
        && let Some(tag) = reference.tag().cloned().or_else(|| an_example(listing))
    {
        all.take(Step::of("digest", &client.digest(repository, tag.as_tag_ref()).await, |digest| format!("{tag} is {digest}")));
        if test.image {
            look_into(&mut all, &client, repository, listing, &tag).await;
        }
    }
    Ok(all.report(repository, Some(&client)))
}

/// Reads the image behind a tag, and when it was pushed.
async fn look_into(all: &mut Examination, client: &Client, repository: &Repository, listing: &Listing, tag: &Tag) {
    let manifest = client.manifest(repository, tag.as_tag_ref()).await;
    all.take(Step::of("manifest", &manifest, |manifest| match manifest.content() {
        Content::Index(index) => format!("an index of {}", count(index.children().len(), "image", "images")),
        Content::Image { .. } => "one image".to_owned(),
    }));
    if let Ok(manifest) = &manifest {
        let image = client.image(repository, manifest.digest()).await;
        all.take(Step::of("image", &image, |image| {
            let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
            let created = image.created.map_or_else(|| "at an unknown time".to_owned(), |created| format!("at {created}"));
            format!("for {}, made {created}", if platforms.is_empty() { "no platform".to_owned() } else { platforms.join(", ") })
        }));
    }
    let pushed = client.pushed(repository, listing).await;
    all.take(Step::of("pushed", &pushed, |times| match times {
        None => "this registry has no way to tell".to_owned(),
        Some(times) => times.get(tag.as_tag_ref()).map_or_else(|| format!("{tag}: not known"), |at| format!("{tag}: at {at}")),
    }));
}

/// Says what the policy file or the defaults make of this registry.
fn settings(repository: &Repository, config: &registry::Config) -> String {
    let (named, default) = (config.hosts.get(repository.registry()), registry::Host::default());
    let host = named.unwrap_or(&default);
    if let Some(mirror) = &host.mirror {
        return format!("the mirror {mirror} is asked instead, with its own settings");
    }
    let mut said = vec![if host.plain_http { "http" } else { "https" }.to_owned(), format!("{} requests at once", host.concurrency)];
    said.extend(host.rate.map(|rate| format!("{rate} a second")));
    said.extend(host.ca_file.as_ref().map(|file| format!("authorities of {}", file.display())));
    said.extend(host.client_cert.as_ref().map(|files| format!("client certificate {}", files.cert.display())));
    match &host.proxy {
        Proxy::Through { url, .. } => said.push(format!("proxy {url}")),
        Proxy::Direct => said.push("no proxy".to_owned()),
        Proxy::Environment => {}
    }
    said.push(match &host.auth {
        None => "no `auth`".to_owned(),
        Some(Auth::Basic { username, .. }) => format!("user {username}"),
        Some(Auth::Bearer(_)) => "a token".to_owned(),
        Some(Auth::Cloud(_)) => "a cloud's login".to_owned(),
        Some(Auth::DockerConfig(file)) => format!("logins of {}", file.display()),
        Some(Auth::Helper(helper)) => format!("the helper {helper}"),
    });
    let origin = if named.is_some() { "" } else { " (defaults: the policy file does not name it)" };
    format!("{}{origin}", said.join(", "))
}

/// Returns the host that is connected to, with whether a proxy of the policy file resolves it; none for an address.
fn host_to_resolve(repository: &Repository, config: &registry::Config) -> Option<(String, bool)> {
    let named = |registry| config.hosts.get(registry);
    let registry =
        named(repository.registry()).and_then(|host| host.mirror.as_ref()).map_or(repository.registry(), |mirror| &mirror.registry);
    let host = registry.api_host();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let is_address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let proxied = named(registry).is_some_and(|host| matches!(host.proxy, Proxy::Through { .. }));
    (!is_address).then(|| (name.to_owned(), proxied))
}

async fn resolve(name: &str) -> Step {
    let started = Instant::now();
    let failed = |error: String| {
        let hint = "see whether the name is spelt right, and whether the resolver of this machine knows it".to_owned();
        Step { error: Some(error), hint: Some(hint), result: None, ..Step::done("name", String::new()) }
    };
    match tokio::time::timeout(RESOLUTION, tokio::net::lookup_host((name, 443))).await {
        Err(_) => failed(format!("{name} was not resolved within {} s", RESOLUTION.as_secs())),
        Ok(Err(error)) => failed(format!("{name}: {error}")),
        Ok(Ok(found)) => {
            let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            Step::done("name", format!("{name} is {} ({} ms)", addresses.join(", "), started.elapsed().as_millis()))
        }
    }
}

fn tags(listing: &Listing) -> String {
    let tags = count(listing.tags().len(), "tag", "tags");
    match listing.omitted() {
        omitted if omitted.is_empty() => tags,
        omitted => format!("{tags}, and left out {omitted}"),
    }
}

/// Returns a tag that can be tried.
fn an_example(listing: &Listing) -> Option<Tag> {
    let tags = listing.tags();
    let found = if tags.contains("latest") { TagRef::parse("latest").ok() } else { tags.get(tags.len().checked_sub(1)?) };
    found.map(TagRef::to_tag)
}

fn limits(state: &HostState) -> String {
    let requests = count(state.requests.try_into().unwrap_or(usize::MAX), "request", "requests");
    let mut said = vec![requests];
    if let Some(limit) = &state.limit {
        let of = limit.limit.map_or_else(String::new, |most| format!(" of {most}"));
        let window = limit.window_seconds.map_or_else(String::new, |seconds| format!(" in {seconds} s"));
        let what = if limit.pulls_only { "pulls" } else { "requests" };
        said.push(format!("{}{of} {what} left{window}", limit.remaining));
    } else {
        said.push("the registry says nothing of limits".to_owned());
    }
    said.extend((state.throttled > 0).then(|| format!("{} times too many", state.throttled)));
    said.extend(state.paused_until.map(|until| format!("wants to be left alone until {until}")));
    said.join(", ")
}

/// Prints a step, and the credential if it is news.
fn print(step: &Step, credential: Option<&String>) {
    let name = format!("{:<9}", step.step);
    match (&step.result, &step.error) {
        (_, Some(error)) => out!("{ERROR}failed{ERROR:#}  {STRONG}{name}{STRONG:#}  {error}"),
        (result, None) => out!("{ADDED}ok{ADDED:#}      {STRONG}{name}{STRONG:#}  {}", result.as_deref().unwrap_or_default()),
    }
    if let Some(hint) = &step.hint {
        out!("{:19}{HINT}hint{HINT:#}: {hint}", "");
    }
    if let Some(credential) = credential {
        out!("{:19}credential: {credential}", "");
    }
    let alike = |a: &Exchange, b: &Exchange| Exchange { duration_ms: 0, ..a.clone() } == Exchange { duration_ms: 0, ..b.clone() };
    for requests in step.requests.chunk_by(alike) {
        let Some(Exchange { method, url, with, status, headers, bytes, failure, duration_ms }) = requests.first() else { continue };
        let times = if requests.len() > 1 { format!(" ({} times)", requests.len()) } else { String::new() };
        let outcome = match (status, failure) {
            (Some(status), _) => {
                let style = if *status < 400 { ADDED } else { WARNING };
                let bytes = bytes.filter(|bytes| *bytes > 0).map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
                format!("{style}{status}{style:#}{bytes}")
            }
            (None, failure) => format!("{ERROR}{}{ERROR:#}", failure.as_deref().unwrap_or("no answer")),
        };
        out!("{:19}{method} {url} with {with}: {outcome}, {duration_ms} ms{times}", "");
        for (name, value) in headers {
            out!("{:21}{FAINT}{name}: {value}{FAINT:#}", "");
        }
    }
}
