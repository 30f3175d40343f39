//! Proxies: who goes through which, and what they never see.

use tagboat::demo::registry::Registry as Server;
use tagboat::redact::SafeUrl;
use tagboat::registry::{Client, EnvironmentProxies, Host, Proxy as Setting, ProxyAuth, proxy};

use crate::support::proxy::Proxy;
use crate::support::registry::*;
use crate::support::registry_tls::TlsServer;

fn through(url: &str, auth: bool) -> Setting {
    let auth = auth.then(|| ProxyAuth { username: USER.to_owned(), password: secret(PASSWORD) });
    Setting::Through { url: proxy::parse(url).unwrap(), auth }
}

/// A client of a registry behind TLS that is known by a name which only the proxy can resolve.
fn tls_client(server: &TlsServer, name: &str, setting: Setting) -> (Client, String) {
    let host = format!("{name}:{}", server.host().rsplit(':').next().unwrap());
    let client = client_of(&host, |host| {
        (host.plain_http, host.ca_file, host.proxy) = (false, Some(server.ca_file()), setting);
    });
    (client, host)
}

const NAME: &str = "registry.test.invalid";

#[tokio::test]
async fn a_tunnel_through_an_http_proxy_shows_it_neither_path_nor_credential() {
    let (server, proxy) = (TlsServer::start(NAME).await, Proxy::http().await);
    let (client, host) = tls_client(&server, NAME, through(&format!("http://{}", proxy.address()), true));
    assert_eq!(words(&client.tags(&repository_at(&host, "acme/api")).await.unwrap()), ["1.0", "2.0"]);
    let asked = proxy.asked();
    assert!(asked[0].starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{asked:?}");
    assert!(asked[0].to_lowercase().contains(&format!("proxy-authorization: {}", BASIC.to_lowercase())), "{asked:?}");
    assert!(!asked[0].contains("/v2/"));
}

#[tokio::test]
async fn a_plain_registry_is_asked_by_way_of_the_proxy_and_never_sees_the_proxys_credential() {
    let (server, proxy) = (Server::start().await.unwrap(), Proxy::http().await);
    server.publish("acme/api", "1.0");
    server.on_request(|parts| parts.headers.contains_key("proxy-authorization").then(|| status(500, "leaked")));
    let client = client_of(&server.host(), |host| host.proxy = through(&format!("http://{}", proxy.address()), false));
    client.tags(&repository(&server, "acme/api")).await.unwrap();
    assert!(proxy.asked()[0].starts_with(&format!("GET http://{}/v2/acme/api/tags/list", server.host())), "{:?}", proxy.asked());
}

#[tokio::test]
async fn socks5h_leaves_the_name_to_the_proxy() {
    for auth in [false, true] {
        let (server, proxy) = (TlsServer::start(NAME).await, Proxy::socks5(auth.then_some(PASSWORD)).await);
        let (client, host) = tls_client(&server, NAME, through(&format!("socks5h://{}", proxy.address()), auth));
        client.tags(&repository_at(&host, "acme/api")).await.unwrap();
        assert_eq!(proxy.asked(), [host]);
    }
}

#[tokio::test]
async fn socks5_resolves_the_name_here() {
    let (server, proxy) = (TlsServer::start("localhost").await, Proxy::socks5(None).await);
    let (client, host) = tls_client(&server, "localhost", through(&format!("socks5://{}", proxy.address()), false));
    client.tags(&repository_at(&host, "acme/api")).await.unwrap();
    let port = host.rsplit(':').next().unwrap();
    let here = [format!("127.0.0.1:{port}"), format!("::1:{port}")];
    assert!(here.contains(&proxy.asked()[0]), "{:?}", proxy.asked());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_named_without_its_password() {
    let gone = {
        let proxy = Proxy::http().await;
        proxy.address()
    };
    let refusing = Proxy::refusing().await;
    let socks = Proxy::socks5(Some("another password")).await;
    for (url, reason) in [
        (format!("http://{gone}"), "Connection refused"),
        // The library says no more of it.
        (format!("socks5h://{gone}"), "failed to create underlying connection"),
        (format!("http://{}", refusing.address()), "proxy authorization required"),
        (format!("socks5h://{}", socks.address()), "credentials not accepted"),
    ] {
        let server = TlsServer::start(NAME).await;
        let (client, host) = tls_client(&server, NAME, through(&url, true));
        let error = client.tags(&repository_at(&host, "acme/api")).await.unwrap_err();
        assert_retry(&error);
        // `line` looks for the password as well.
        assert!(line(&error).contains(&format!("no answer from {host} through the proxy {url}: ")), "{}", line(&error));
        assert!(line(&error).contains(reason), "{}", line(&error));
        assert!(!format!("{client:?}").contains(PASSWORD));
    }
}

/// A client of two plain registries under these variables.
fn under(variables: &[(&str, String)], hosts: &[(&Server, Setting)]) -> Client {
    let mut config = quick();
    config.proxies =
        EnvironmentProxies::read(|name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.as_str())).unwrap();
    for (server, setting) in hosts {
        let host = Host { plain_http: true, proxy: setting.clone(), ..Host::default() };
        config.hosts.insert(tagboat::image::Registry::parse(&server.host()).unwrap(), host);
    }
    Client::new(config).unwrap()
}

#[tokio::test]
async fn the_environment_names_a_proxy_but_for_hosts_that_are_excepted() {
    let (one, two, proxy) = (Server::start().await.unwrap(), Server::start().await.unwrap(), Proxy::http().await);
    for server in [&one, &two] {
        server.publish("acme/api", "1.0");
    }
    let variables = [("HTTP_PROXY", proxy.address().to_string()), ("no_proxy", format!("example.com,{}", two.host()))];
    let client = under(&variables, &[(&one, Setting::Environment), (&two, Setting::Environment)]);
    client.tags(&repository(&two, "acme/api")).await.unwrap();
    assert_eq!(proxy.asked().len(), 0);
    client.tags(&repository(&one, "acme/api")).await.unwrap();
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test]
async fn the_policy_file_outdoes_the_environment() {
    let (one, two) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let (common, own) = (Proxy::http().await, Proxy::http().await);
    for server in [&one, &two] {
        server.publish("acme/api", "1.0");
    }
    let variables = [("HTTP_PROXY", common.address().to_string()), ("NO_PROXY", two.host())];
    let setting = through(&format!("http://{}", own.address()), false);
    let client = under(&variables, &[(&one, Setting::Direct), (&two, setting)]);
    client.tags(&repository(&one, "acme/api")).await.unwrap();
    client.tags(&repository(&two, "acme/api")).await.unwrap();
    assert_eq!((common.asked().len(), own.asked().len()), (0, 1));
}

#[tokio::test]
async fn a_credential_in_the_environments_proxy_serves_and_does_not_show() {
    let (server, proxy) = (Server::start().await.unwrap(), Proxy::http().await);
    server.publish("acme/api", "1.0");
    let variables = [("ALL_PROXY", format!("http://{USER}:{PASSWORD}@{}", proxy.address()))];
    let client = under(&variables, &[(&server, Setting::Environment)]);
    client.tags(&repository(&server, "acme/api")).await.unwrap();
    assert!(proxy.asked()[0].contains(BASIC), "{:?}", proxy.asked());
    assert!(!format!("{client:?}").contains(PASSWORD));
    drop(proxy);
    line(&client.tags(&repository(&server, "acme/web")).await.unwrap_err());
}

#[tokio::test]
async fn a_changed_password_of_the_proxy_is_taken_up() {
    let server = TlsServer::start(NAME).await;
    let proxy = Proxy::socks5(Some("new")).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "old one").unwrap();
    let url = SafeUrl::new(url::Url::parse(&format!("socks5h://{}", proxy.address())).unwrap());
    let auth = ProxyAuth { username: USER.to_owned(), password: tagboat::redact::SecretSource::File(file.clone()) };
    let (client, host) = tls_client(&server, NAME, Setting::Through { url, auth: Some(auth) });
    client.tags(&repository_at(&host, "acme/api")).await.unwrap_err();
    std::fs::write(&file, "new").unwrap();
    client.tags(&repository_at(&host, "acme/api")).await.unwrap();
}

#[tokio::test]
async fn no_request_goes_to_a_metadata_address_by_way_of_a_proxy() {
    let (server, proxy) = (Server::start().await.unwrap(), Proxy::http().await);
    server.on_request(|_| Some(redirect_to("http://169.254.169.254/latest/meta-data/")));
    let client = client_of(&server.host(), |host| host.proxy = through(&format!("http://{}", proxy.address()), false));
    let error = client.tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert!(line(&error).contains("link-local or metadata address"), "{}", line(&error));
    assert_eq!(proxy.asked().len(), 1, "{:?}", proxy.asked());
}
