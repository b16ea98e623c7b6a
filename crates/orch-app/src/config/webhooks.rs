//! `webhooks`: who is told by HTTP what happens.

use std::fmt;

use orch_core::{Event, nearest};
use serde::Deserialize;

use crate::error::AppError;

/// Somebody who is told what happens.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Webhook {
    url: String,
    /// The environment variable with the secret for the signature.
    secret_env: Option<String>,
    /// Types of events, `subtask.failed`, or families, `orchestration.*`; all when there are none.
    #[serde(default)]
    events: Vec<String>,
}

impl Webhook {
    /// Returns where events are posted to. It may hold a secret; [`Webhook::shown`] does not.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns scheme and host of the URL: the rest may be a secret.
    pub fn shown(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("{scheme}://{}", host.rsplit('@').next().unwrap_or_default())
    }

    /// Returns the secret that events are signed with, from the environment; `None` when they are not signed.
    ///
    /// # Errors
    /// When the variable is not set, or empty.
    pub fn secret(&self) -> Result<Option<String>, AppError> {
        let Some(name) = &self.secret_env else { return Ok(None) };
        match std::env::var(name) {
            Ok(secret) if !secret.is_empty() => Ok(Some(secret)),
            Ok(_) | Err(_) => {
                Err(AppError::NoSecret { variable: name.clone(), what: self.shown() })
            }
        }
    }

    /// Tells whether it is to be told of events of this type.
    pub fn wants(&self, event_type: &str) -> bool {
        self.events.is_empty() || self.events.iter().any(|pattern| matches(pattern, event_type))
    }

    /// Returns the field that is wrong, and what is wrong with it.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let is_http = ["http://", "https://"].iter().any(|scheme| {
            self.url
                .strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        if !is_http {
            return Some(("url", "must be an http:// or https:// address".to_owned()));
        }
        if !cfg!(feature = "webhooks") {
            return Some((
                "url",
                "this build has no webhooks; build it with the feature `webhooks`".to_owned(),
            ));
        }
        let is_known =
            |pattern: &&String| Event::DOTTED_TYPES.iter().any(|kind| matches(pattern, kind));
        let unknown = self.events.iter().find(|pattern| !is_known(pattern))?;
        let hint = nearest(unknown, Event::DOTTED_TYPES.iter().copied());
        let hint = hint.map(|kind| format!(", did you mean `{kind}`?")).unwrap_or_default();
        Some(("events", format!("no event is called `{unknown}`{hint}")))
    }
}

fn matches(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(family) => event_type.split_once('.').is_some_and(|(first, _)| first == family),
        None => pattern == event_type,
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &self.shown())
            .field("secret_env", &self.secret_env)
            .field("events", &self.events)
            .finish()
    }
}
