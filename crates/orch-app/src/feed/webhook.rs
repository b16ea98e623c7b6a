//! Events by HTTP, signed as ALMA signs its webhooks.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url, redirect};
use sha2::Sha256;

use super::{LifecycleEvent, Sink};
use crate::config::Webhook;
use crate::error::AppError;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait before each further try.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Posts each event as JSON. With a secret, the header `X-ALMA-Signature` is `sha256=` and the HMAC-SHA256, in hex, of
/// `TIMESTAMP.BODY`, where the timestamp is that of the header `X-ALMA-Timestamp`: seconds since 1970, when it was sent.
pub struct WebhookSink {
    webhook: Webhook,
    url: Url,
    secret: Option<Vec<u8>>,
    client: Client,
}

enum Tried {
    Delivered,
    Again(String),
    Never(String),
}

impl WebhookSink {
    /// Makes a sink for a webhook of the configuration; its secret is taken from the environment.
    ///
    /// # Errors
    /// When the environment has no such secret, or the system no certificates.
    pub fn new(webhook: &Webhook) -> Result<Self, AppError> {
        let secret = webhook.secret()?.map(String::into_bytes);
        let unusable = |source: Box<dyn Error + Send + Sync>| AppError::Webhook {
            url: webhook.shown(),
            source,
        };
        let url = Url::parse(webhook.url()).map_err(|error| unusable(error.into()))?;
        let client = client().map_err(|error| unusable(error.into()))?;
        Ok(Self { webhook: webhook.clone(), url, secret, client })
    }

    async fn post(&self, event: &LifecycleEvent, body: &[u8]) -> Tried {
        let at = wall().as_second().to_string();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("X-ALMA-Event-Type", event.event_type)
            .header("X-ALMA-Timestamp", &at);
        if let Some(secret) = &self.secret {
            request = request.header("X-ALMA-Signature", signature(secret, &at, body));
        }
        match request.body(body.to_vec()).send().await {
            Ok(answer) if answer.status().is_success() => Tried::Delivered,
            Ok(answer) if may_pass(answer.status()) => Tried::Again(answer.status().to_string()),
            Ok(answer) => Tried::Never(answer.status().to_string()),
            Err(error) => Tried::Again(crate::with_causes(&error.without_url())),
        }
    }

    /// Delivers one event; returns whether that went well.
    async fn deliver_one(&self, event: &LifecycleEvent) -> bool {
        let Ok(body) = serde_json::to_vec(event) else { return false };
        let mut pauses = PAUSES.into_iter();
        let url = self.webhook.shown();
        loop {
            let reason = match self.post(event, &body).await {
                Tried::Delivered => return true,
                Tried::Never(reason) => {
                    tracing::warn!(%url, event = event.event_type, reason, "a webhook refused an event");
                    return false;
                }
                Tried::Again(reason) => reason,
            };
            let Some(pause) = pauses.next() else {
                tracing::warn!(%url, event = event.event_type, reason, "a webhook could not be reached; the event is given up");
                return false;
            };
            tokio::time::sleep(pause).await;
        }
    }
}

#[async_trait]
impl Sink for WebhookSink {
    async fn deliver(&mut self, events: Vec<LifecycleEvent>) -> usize {
        let mut lost = 0;
        for event in events.iter().filter(|event| self.webhook.wants(event.event_type)) {
            lost += usize::from(!self.deliver_one(event).await);
        }
        lost
    }
}

/// Whether another try may have another answer.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// The signature of a body that is sent at `at`.
fn signature(secret: &[u8], at: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// A client that follows no redirects: an event goes where the configuration says, and nowhere else.
fn client() -> reqwest::Result<Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // A provider that was installed before is the same choice for the whole process.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()
}

/// When a request is sent: the receiver refuses what is too old.
fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the receiver compares it with its own clock")]
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_alma() {
        // hmac.new(b"secret", b"1700000000." + b'{"a": 1}', hashlib.sha256).hexdigest()
        assert_eq!(
            signature(b"secret", "1700000000", br#"{"a": 1}"#),
            "sha256=942c6f7e34ef5c448cbbbf79276da392036d59f0bd9fb74ba14eb8e83e2bb6cd"
        );
    }
}
