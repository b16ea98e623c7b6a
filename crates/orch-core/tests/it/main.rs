//! What orch-core promises to the crates that use it.

#![expect(clippy::unwrap_used, reason = "tests may, in their helpers too")]

mod cycles;
mod events;
mod gates;
mod journal;
mod json_names;
mod plan_json;
mod printable;
mod replicas;
mod run_view;
mod scale;
mod scopes;
mod signals;
mod store_laws;
mod support;
mod validate;
mod values;
mod words;
mod workers;
