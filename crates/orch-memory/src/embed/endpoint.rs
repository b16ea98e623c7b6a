//! Vectors from a server.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::{BoxError, Digest};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Embedder;

/// How long a request may take unless it is said: a run waits for it before its first subtask.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most texts in a request, and the most characters of a text in it.
const TEXTS: usize = 32;
const CHARS: usize = 2_000;
/// The most bytes of an answer that are read.
const ANSWER: usize = 16 << 20;
/// The most vectors that are kept.
const KEPT: usize = 1_024;
/// The most characters of a refusal that are shown.
const SHOWN: usize = 300;

/// An embedder that asks an OpenAI-compatible server: `POST URL` with `{"model", "input"}`, as llama.cpp, Ollama, vLLM and hosted models
/// offer it under `/v1/embeddings`.
///
/// Texts of tasks leave the process for the server, and nothing else does. It follows no redirect, asks with at most 32 texts of
/// 2,000 characters at a time, waits at most 5 s for each answer unless [`with_timeout`](Self::with_timeout) says otherwise, and keeps the newest vectors (at most 1,024) so that the same text is not asked
/// for again.
pub struct EmbeddingsEndpoint {
    client: Client,
    url: Url,
    model: String,
    key: Option<HeaderValue>,
    timeout: Duration,
    known: Mutex<HashMap<Digest, Vec<f32>>>,
}

/// Why there are no vectors.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddingsError {
    /// The address is none of the web.
    #[error(
        "`{url}` is no address for embeddings; give one such as http://127.0.0.1:8080/v1/embeddings"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// The key cannot be sent.
    #[error(
        "the key for embeddings has characters that a header cannot hold; check where it comes from"
    )]
    Key,
    /// The server was not reached, or did not answer in time.
    #[error("the server for embeddings does not answer; is it running, and is the address right?")]
    Unreachable(#[source] reqwest::Error),
    /// The server refused.
    #[error("the server for embeddings answers {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The beginning of what it says.
        message: String,
    },
    /// The server says something else than vectors.
    #[error(
        "the server for embeddings answers with no vectors: {reason}; is the model one for embeddings?"
    )]
    Answer {
        /// What is wrong.
        reason: String,
    },
}

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f32>,
}

impl fmt::Debug for EmbeddingsEndpoint {
    /// Without the key, and without what the address may hide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        f.debug_struct("EmbeddingsEndpoint")
            .field("host", &host)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl EmbeddingsEndpoint {
    /// Makes an embedder that asks the whole address `url` for vectors of `model`.
    ///
    /// # Errors
    /// When `url` is not an address with `http` or `https`, or this machine has no TLS.
    pub fn new(url: &str, model: impl Into<String>) -> Result<Self, EmbeddingsError> {
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let parsed = parsed.filter(Url::has_host);
        let url = parsed.ok_or_else(|| EmbeddingsError::Url { url: url.to_owned() })?;
        let client = client().map_err(EmbeddingsError::Unreachable)?;
        Ok(Self {
            client,
            url,
            model: model.into(),
            key: None,
            timeout: TIMEOUT,
            known: Mutex::default(),
        })
    }

    /// Sets the key, which is sent as a bearer token and shown nowhere.
    ///
    /// # Errors
    /// When a header cannot hold it.
    pub fn with_key(mut self, key: &str) -> Result<Self, EmbeddingsError> {
        let mut value =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| EmbeddingsError::Key)?;
        value.set_sensitive(true);
        self.key = Some(value);
        Ok(self)
    }

    /// Sets how long each request may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingsError> {
        let question = Question { model: &self.model, input: texts, encoding_format: "float" };
        let body = serde_json::to_vec(&question)
            .map_err(|error| EmbeddingsError::Answer { reason: error.to_string() })?;
        let request = self.client.post(self.url.clone()).timeout(self.timeout);
        let mut request = request.header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        // Without the address, which may hold a secret.
        let unreachable = |error: reqwest::Error| EmbeddingsError::Unreachable(error.without_url());
        let response = request.body(body).send().await.map_err(unreachable)?;
        let status = response.status();
        let body = read(response).await?;
        if !status.is_success() {
            let message: String = String::from_utf8_lossy(&body).chars().take(SHOWN).collect();
            return Err(EmbeddingsError::Refused { status, message });
        }
        vectors(&body, texts.len()).map_err(|reason| EmbeddingsError::Answer { reason })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Vec<f32>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Embedder for EmbeddingsEndpoint {
    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BoxError> {
        let clipped: Vec<String> =
            texts.iter().map(|text| text.chars().take(CHARS).collect()).collect();
        let names: Vec<Digest> =
            clipped.iter().map(|text| Digest::of_bytes(text.as_bytes())).collect();
        let mut found: HashMap<Digest, Vec<f32>> = {
            let kept = self.kept();
            names.iter().filter_map(|name| Some((*name, kept.get(name)?.clone()))).collect()
        };
        let mut missing: Vec<(Digest, String)> = Vec::new();
        for (name, text) in names.iter().zip(clipped) {
            if !found.contains_key(name) && missing.iter().all(|(other, _)| other != name) {
                missing.push((*name, text));
            }
        }
        for part in missing.chunks(TEXTS) {
            let texts: Vec<String> = part.iter().map(|(_, text)| text.clone()).collect();
            let vectors = self.ask(&texts).await?;
            let mut kept = self.kept();
            if kept.len() + vectors.len() > KEPT {
                kept.clear();
            }
            for ((name, _), vector) in part.iter().zip(vectors) {
                kept.insert(*name, vector.clone());
                found.insert(*name, vector);
            }
        }
        Ok(names.iter().filter_map(|name| found.get(name).cloned()).collect())
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, EmbeddingsError> {
    let mut body = Vec::new();
    let unreachable = |error: reqwest::Error| EmbeddingsError::Unreachable(error.without_url());
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER {
            let reason = format!("the answer is longer than {ANSWER} bytes");
            return Err(EmbeddingsError::Answer { reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads the vectors of `count` texts, in their order.
fn vectors(body: &[u8], count: usize) -> Result<Vec<Vec<f32>>, String> {
    let mut answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    answer.data.sort_by_key(|embedding| embedding.index);
    let is_whole = answer.data.iter().map(|embedding| embedding.index).eq(0..count);
    if !is_whole {
        return Err(format!("{count} were asked for, and {} came", answer.data.len()));
    }
    Ok(answer.data.into_iter().map(|embedding| embedding.embedding).collect())
}

/// A client that follows no redirects: texts go where the configuration says, and nowhere else.
fn client() -> reqwest::Result<Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // A provider that was installed before holds for the whole process, and is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().redirect(redirect::Policy::none()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_put_in_order_or_refused() {
        let swapped =
            br#"{"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]}"#;
        assert_eq!(vectors(swapped, 2), Ok(vec![vec![1.0], vec![2.0]]));
        for (body, count) in [
            (&br#"{"data": [{"index": 0, "embedding": [1]}]}"#[..], 2),
            (br#"{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}"#, 2),
            (br#"{"data": [{"index": 0, "embedding": "AAAA"}]}"#, 1),
            (br#"{"error": "no"}"#, 1),
            (b"<html>", 1),
        ] {
            assert!(vectors(body, count).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn addresses_and_keys_are_checked_and_not_shown() {
        for url in ["", "localhost:8080", "ftp://a/b", "http://", "file:///etc/passwd"] {
            let error = EmbeddingsEndpoint::new(url, "m").unwrap_err();
            assert!(matches!(error, EmbeddingsError::Url { .. }), "{url}: {error}");
        }
        let endpoint =
            EmbeddingsEndpoint::new("https://me:pass@example.org/v1/embeddings?k=v", "m");
        let endpoint = endpoint.unwrap().with_key("secret").unwrap();
        let shown = format!("{endpoint:?}");
        assert!(shown.contains("example.org"), "{shown}");
        assert!(!["pass", "secret", "k=v"].iter().any(|hidden| shown.contains(hidden)), "{shown}");
        let broken = EmbeddingsEndpoint::new("http://a/b", "m").unwrap().with_key("a\nb");
        assert!(matches!(broken, Err(EmbeddingsError::Key)));
    }
}
