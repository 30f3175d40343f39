//! Asking a running Tagboat how it does: the container image has no other HTTP client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// For the whole of it; a health check of a container has no patience.
const DEADLINE: Duration = Duration::from_secs(3);

/// No answer of ours to a check is longer.
const LONGEST: usize = 4096;

/// Why the answer was not yes.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nobody answered.
    #[error("asking http://{address}{path}")]
    NoAnswer {
        /// Who was asked.
        address: SocketAddr,
        /// What for.
        path: String,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The answer was no.
    #[error("http://{address}{path} answered {status}: {reason}")]
    No {
        /// Who was asked.
        address: SocketAddr,
        /// What for.
        path: String,
        /// The status code.
        status: u16,
        /// The reason it gives, on one line.
        reason: String,
    },
}

/// Asks the Tagboat that listens on `listen` for a path (`/healthz`, `/readyz`); blocks for 3 seconds at most.
///
/// An address that means "every interface" is asked on the loopback one.
///
/// # Errors
/// If nobody answers in time, or with anything but 200.
pub fn probe(listen: SocketAddr, path: &str) -> Result<(), ProbeError> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    let (status, reason) = ask(address, path).map_err(|cause| ProbeError::NoAnswer { address, path: path.to_owned(), cause })?;
    if status == 200 { Ok(()) } else { Err(ProbeError::No { address, path: path.to_owned(), status, reason }) }
}

fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Sends the request and returns the answer's status code and body.
fn ask(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let end = Instant::now() + DEADLINE;
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_write_timeout(Some(DEADLINE))?;
    // HTTP/1.0: the answer ends where the connection does, and comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut piece = [0; LONGEST];
    while answer.len() < LONGEST {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            read => answer.extend(piece.iter().take(read)),
        }
    }
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP"))
}

/// Takes an answer apart: the status code, and the body on one line.
fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let status = words.next().filter(|version| version.starts_with("HTTP/1.")).and(words.next())?;
    Some((status.get(..3)?.parse().ok()?, crate::redact::one_line(body, 200)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_address_for_every_interface_is_asked_on_loopback() {
        for (listen, asked) in [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn answers_are_taken_apart() {
        assert_eq!(parse("HTTP/1.0 503 Service Unavailable\r\na: b\r\n\r\nthe loop\nhangs\n"), Some((503, "the loop hangs".to_owned())));
        assert_eq!(parse("HTTP/1.1 200 OK\r\n\r\n"), Some((200, String::new())));
        for no in ["", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 xyz no\r\n\r\n"] {
            assert_eq!(parse(no), None, "{no}");
        }
    }

    /// Answers one connection with these bytes, then holds it open until the asker goes.
    fn peer(bytes: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(bytes).unwrap();
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        address
    }

    #[test]
    fn a_peer_that_says_nothing_is_given_up() {
        let before = Instant::now();
        let error = probe(peer(b""), "/healthz").unwrap_err();
        assert!(matches!(error, ProbeError::NoAnswer { .. }), "{error:?}");
        assert!(before.elapsed() < DEADLINE * 3, "{:?}", before.elapsed());
    }

    #[test]
    fn nobody_there_is_an_error_that_names_the_address() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(probe(address, "/healthz").unwrap_err().to_string(), format!("asking http://{address}/healthz"));
    }
}
