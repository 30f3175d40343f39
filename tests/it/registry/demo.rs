//! The embedded registry itself.

use tagboat::demo::registry::Registry;

use crate::support::registry::*;

#[tokio::test]
async fn publishes_and_deletes() {
    let server = Registry::start().await.unwrap();
    let one = server.publish("acme/api", "1.0");
    let other = server.publish("acme/web", "1.0");
    assert_ne!(one, other);
    assert_eq!(server.publish("acme/api", "1.0"), one, "the same image has the same digest");
    server.publish_many("acme/api", ["2.0", "3.0"]);
    assert!(server.delete("acme/api", "2.0"));
    assert!(!server.delete("acme/api", "2.0"));
    assert_eq!(words(&client(&server).tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0", "3.0"]);
    assert_eq!(server.requests(), ["GET /v2/acme/api/tags/list?n=1000"]);
}

#[tokio::test]
async fn stops_when_dropped() {
    let server = Registry::start().await.unwrap();
    let addr = server.addr();
    let open = tokio::net::TcpStream::connect(addr).await.unwrap();
    drop(server);
    let mut byte = [0];
    loop {
        open.readable().await.unwrap();
        match open.try_read(&mut byte) {
            Ok(0) => break,
            Ok(_) => panic!("nothing was asked"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
}
