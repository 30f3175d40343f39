//! Mirrors: who is asked, under which name, and with whose credential.

use tagboat::demo::registry::Registry as Server;
use tagboat::error::Classified;
use tagboat::image::{Registry, TagRef};
use tagboat::registry::{Auth, Client, Host, Mirror};

use crate::support::registry::*;

const OTHER: &str = "another-passw0rd";

/// A client of `upstream` by way of `mirror`, which has a credential of its own, as the upstream has in Docker's config file.
fn client_by(upstream: &Server, mirror: &Server, prefix: &str) -> (Client, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let docker = directory.path().join("config.json");
    let auths = format!(r#"{{"auths":{{"{}":{{"username":"{USER}","password":"{PASSWORD}"}}}}}}"#, upstream.host());
    std::fs::write(&docker, auths).unwrap();
    let mut config = quick();
    config.docker_config = Some(docker);
    let mut insert = |server: &Server, host| config.hosts.insert(Registry::parse(&server.host()).unwrap(), host);
    insert(upstream, Host { mirror: Some(Mirror::parse(&format!("{}{prefix}", mirror.host())).unwrap()), ..Host::default() });
    let auth = Some(Auth::Basic { username: "mirror".to_owned(), password: secret(OTHER) });
    insert(mirror, Host { plain_http: true, concurrency: 3, auth, ..Host::default() });
    (Client::new(config).unwrap(), directory)
}

#[tokio::test]
async fn a_mirror_is_asked_below_its_prefix_and_the_registry_itself_never() {
    let (upstream, mirror) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    mirror.publish("hub/acme/api", "1.0");
    let (client, _files) = client_by(&upstream, &mirror, "/hub");
    let api = repository(&upstream, "acme/api");
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0"]);
    client.digest(&api, TagRef::parse("1.0").unwrap()).await.unwrap();
    client.ping(api.registry()).await.unwrap();
    assert_eq!(mirror.requests(), ["GET /v2/hub/acme/api/tags/list?n=1000", "HEAD /v2/hub/acme/api/manifests/1.0", "GET /v2/"]);
    assert_eq!(upstream.request_count(), 0);
    assert_eq!(client.concurrency(api.registry()), 3, "it is the mirror that is asked");
}

#[tokio::test]
async fn a_mirror_without_a_prefix_is_told_whose_repository_is_meant_on_every_page() {
    let (upstream, mirror) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let page = |tags: &str, next: Option<&str>| {
        let mut page = json(format!(r#"{{"tags":[{tags}]}}"#));
        next.into_iter().for_each(|next| drop(page.headers_mut().insert("link", format!("<{next}>; rel=\"next\"").parse().unwrap())));
        page
    };
    mirror.on_request(move |parts| {
        Some(match parts.uri.query().unwrap_or_default() {
            query if query.starts_with("n=1000&ns=") => page(r#""1.0""#, Some("/v2/acme/api/tags/list?last=Zm9v%2F%2B==")),
            query if query.starts_with("last=Zm9v%2F%2B==&ns=") => {
                page(r#""2.0""#, Some(&format!("?last=x&{}", query.split_once('&').unwrap().1)))
            }
            query if query.starts_with("last=x&ns=") => page(r#""3.0""#, None),
            query => panic!("{query}"),
        })
    });
    let (client, _files) = client_by(&upstream, &mirror, "");
    assert_eq!(words(&client.tags(&repository(&upstream, "acme/api")).await.unwrap()), ["1.0", "2.0", "3.0"]);
    let ns = format!("ns={}", upstream.host());
    assert!(mirror.requests().iter().all(|request| request.matches(&ns).count() == 1), "{:?}", mirror.requests());
}

#[tokio::test]
async fn a_mirror_whose_pages_go_in_circles_is_found_out() {
    let (upstream, mirror) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    mirror.on_request(|_| {
        let mut page = json(r#"{"tags":["1.0"]}"#);
        page.headers_mut().insert("link", "</v2/acme/api/tags/list?last=a>; rel=\"next\"".parse().unwrap());
        Some(page)
    });
    let (client, _files) = client_by(&upstream, &mirror, "");
    let error = client.tags(&repository(&upstream, "acme/api")).await.unwrap_err();
    assert!(line(&error).contains("the listing does not end"), "{}", line(&error));
    assert_eq!(mirror.request_count(), 2);
}

#[tokio::test]
async fn the_credential_of_the_registry_is_never_sent_to_its_mirror_nor_the_mirrors_to_the_registry() {
    let (upstream, mirror) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let at_mirror = Seen::default();
    let noted = at_mirror.clone();
    let realm = upstream.host();
    mirror.on_request(move |parts| {
        noted.note(parts);
        match authorization(parts) {
            // First it asks for a password, then it sends for a token to the registry that it mirrors.
            None => Some(unauthorized("Basic realm=\"mirror\"")),
            Some(_) => Some(unauthorized(&format!("Bearer realm=\"http://{realm}/token\""))),
        }
    });
    let at_upstream = give_tokens(&upstream, |_| json(r#"{"token":"t"}"#));
    let (client, _files) = client_by(&upstream, &mirror, "/hub");
    let error = client.tags(&repository(&upstream, "acme/api")).await.unwrap_err();
    assert!(!line(&error).contains(OTHER));
    let sent: Vec<_> = at_mirror.all().into_iter().filter_map(|(_, sent)| sent).collect();
    assert!(!sent.is_empty() && sent.iter().all(|sent| sent == "Basic bWlycm9yOmFub3RoZXItcGFzc3cwcmQ="), "{sent:?}");
    assert!(at_upstream.all().iter().all(|(_, sent)| sent.is_none()), "{:?}", at_upstream.all());
}

#[tokio::test]
async fn an_error_names_the_mirror_and_there_is_no_way_round_it() {
    let (upstream, mirror) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    upstream.publish("acme/api", "1.0");
    let (client, _files) = client_by(&upstream, &mirror, "/hub");
    let api = repository(&upstream, "acme/api");
    let error = client.tags(&api).await.unwrap_err();
    let expected = format!("listing tags of {api}: at the mirror {}/hub: the registry answered 404", mirror.host());
    assert!(line(&error).starts_with(&expected), "{}", line(&error));
    assert!(error.is_not_found());
    mirror.on_request(|_| Some(status(429, "slow down")));
    let error = client.tags(&api).await.unwrap_err();
    assert_retry(&error);
    assert!(error.is_of_the_host() && error.hint().unwrap().contains(&mirror.host()), "{:?}", error.hint());
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_mirrors_state_stands_under_its_own_name() {
    let (upstream, mirror) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    mirror.publish("hub/acme/api", "1.0");
    let (client, _files) = client_by(&upstream, &mirror, "/hub");
    client.tags(&repository(&upstream, "acme/api")).await.unwrap();
    let state = |server: &Server| client.states().into_iter().find(|state| state.registry == server.host()).unwrap();
    assert_eq!((state(&upstream).mirror, state(&upstream).requests), (Some(format!("{}/hub", mirror.host())), 0));
    assert_eq!((state(&mirror).mirror, state(&mirror).requests), (None, 1));
}
