//! Who makes a call: what an MCP client says of itself, and the trace that the call belongs to.

use orch_core::{Client, Origin, is_traceparent};
use rmcp::service::{RequestContext, RoleServer};

/// The key of the W3C trace context in the `_meta` of a request.
const TRACEPARENT: &str = "traceparent";

/// Who makes a call. Of a call from within the process nothing is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) client: Option<Client>,
    traceparent: Option<String>,
}

impl Caller {
    /// Reads what a request and the client's `initialize` say.
    pub(crate) fn of_request(context: &RequestContext<RoleServer>) -> Self {
        let client = context.client_info().map(|info| Client::new(info.name, info.version));
        let traceparent = context.meta.0.get(TRACEPARENT).and_then(|text| text.as_str());
        let traceparent = traceparent.filter(|text| is_traceparent(text)).map(ToOwned::to_owned);
        Self { client, traceparent }
    }

    /// Returns where a run comes from that the caller asks for, in a process that has `own` origin.
    pub(crate) fn origin(&self, own: &Origin) -> Origin {
        let mut origin = own.clone();
        if self.client.is_some() {
            origin.client.clone_from(&self.client);
        }
        if self.traceparent.is_some() {
            origin.traceparent.clone_from(&self.traceparent);
        }
        origin
    }
}
