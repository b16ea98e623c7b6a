//! Hosts and origins, as configuration writes them.

use axum::http::Uri;
use axum::http::uri::Authority;

/// Says whether `text` is a host, perhaps with a port, and nothing more.
pub(super) fn is_authority(text: &str) -> bool {
    let Ok(authority) = Authority::try_from(text) else { return false };
    !authority.host().is_empty() && !text.contains(['@', '*'])
}

/// Reads an origin. Returns it as browsers send it (without the port that its scheme implies), and with its port.
pub(super) fn origin(text: &str) -> Option<(String, String)> {
    let uri = Uri::try_from(text).ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
    let implied = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let is_bare = text.len() == scheme.len() + "://".len() + authority.len();
    if !is_bare || !is_authority(authority) {
        return None;
    }
    let host = uri.host()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(implied);
    let with_port = format!("{scheme}://{host}:{port}");
    let sent = if port == implied { format!("{scheme}://{host}") } else { with_port.clone() };
    Some((sent, with_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_as_browsers_send_it_and_never_of_any_port() {
        let cases = [
            ("https://App.example.com", "https://app.example.com", "https://app.example.com:443"),
            (
                "https://app.example.com:443",
                "https://app.example.com",
                "https://app.example.com:443",
            ),
            ("http://localhost:6274", "http://localhost:6274", "http://localhost:6274"),
            ("http://[::1]", "http://[::1]", "http://[::1]:80"),
        ];
        for (text, sent, with_port) in cases {
            assert_eq!(origin(text), Some((sent.to_owned(), with_port.to_owned())), "{text}");
        }
    }
}
