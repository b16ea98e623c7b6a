//! The MCP server: tools by name, answers as structured content.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::{JsonMap, Origin, RunId, RunSettings, WorkerName};
use orch_supervisor::{RegisterError, Supervisor};
use orch_workers::AgentWorker;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, CreateTaskResult,
    CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
    UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::json;

use crate::answer::{Answer, sentence, short};
use crate::args;
use crate::call_context::{CallContext, Progress};
use crate::call_error::CallError;
use crate::caller::Caller;
use crate::clock;
use crate::desk::Desk;
use crate::desks::{Desks, Served};
use crate::error::ToolError;
use crate::files::Files;
use crate::prompts;
use crate::resources;
use crate::schema::{INSTRUCTIONS, tools};
use crate::shutdown;
use crate::tasks;
use crate::tools::{cancel, claim, delegate, report, status};

/// The general agent of Claude Code.
const GENERAL: &str = "general-purpose";
/// How well the general agent fits anything: better than an agent that is known by name only, worse than a description
/// that matches.
const GENERAL_FIT: f64 = 0.15;

/// How much of an unknown method's name is repeated.
const METHOD_BYTES: usize = 60;

/// An MCP server for one project, on a supervisor. Clones share it; serve it with any transport of `rmcp`.
#[derive(Clone)]
pub struct Server {
    pub(crate) desks: Desks,
}

/// Puts a [`Server`] together.
pub struct ServerBuilder {
    supervisor: Supervisor,
    project: PathBuf,
    settings: RunSettings,
    general: WorkerName,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    is_visitor: bool,
    withheld_commands: Option<String>,
    origin: Origin,
    /// Runs that were in a store that is lost, and what happened to it.
    pub(crate) lost: BTreeMap<RunId, Arc<str>>,
}

impl Server {
    /// Begins to put together a server for the project in the folder `project`, on `supervisor`.
    pub fn builder(supervisor: Supervisor, project: impl Into<PathBuf>) -> ServerBuilder {
        ServerBuilder {
            supervisor,
            project: project.into(),
            settings: RunSettings::default(),
            general: WorkerName::new(GENERAL),
            now: Arc::new(clock::wall),
            is_visitor: false,
            withheld_commands: None,
            origin: Origin::new(),
            lost: BTreeMap::new(),
        }
    }

    /// Calls a tool as a client would, and returns what it answers: an object that begins with `success`, which is `false` for a
    /// report that does not count.
    ///
    /// # Errors
    /// When there is no such tool, or it refuses.
    pub async fn call(&self, tool: &str, arguments: JsonMap) -> Result<JsonMap, CallError> {
        match self.answer(tool, Some(arguments), CallContext::silent()).await {
            Some(Ok(answer)) => Ok(answer.into_map()),
            Some(Err(error)) => Err(error.into()),
            None => Err(CallError::NoTool(tool.to_owned())),
        }
    }

    /// Waits until no worker that runs in this process is at work for a delegated run, at most `grace`: for a client that has
    /// gone. What is ready meanwhile still starts; [`leave`](Self::leave) ends that.
    pub async fn drain(&self, grace: Duration) {
        let Some(desk) = self.desks.current() else { return };
        let rest = tokio::time::timeout(grace, shutdown::at_rest(&desk)).await;
        if let Ok(Err(error)) = rest {
            tracing::warn!(%error, "what is still at work is not known; it is suspended");
        }
    }

    /// Gives all runs up: those that this process does itself are suspended until somebody asks for them, those of agents go on
    /// in whichever process is asked next. Attempts get `grace` to end, a second of which is for suspending; then the engine ends,
    /// within `grace` and 2 s, whatever the store does.
    pub async fn leave(&self, grace: Duration) {
        let Some(desk) = self.desks.current() else { return };
        desk.leave(grace).await;
    }

    /// Says in the log, as warnings, which runs were suspended and wait to be resumed.
    pub async fn announce_suspended(&self) {
        let Some(desk) = self.desks.current() else { return };
        if let Err(error) = shutdown::announce(&desk).await {
            tracing::warn!(%error, "suspended orchestrations cannot be listed");
        }
    }

    /// Returns the desk for a request that is no call of a tool.
    async fn desk(&self) -> Result<Arc<Desk>, ErrorData> {
        self.desks
            .desk()
            .await
            .map_err(|error| ErrorData::internal_error(sentence(&error.to_string()), None))
    }

    /// Calls a tool; `None` when there is no such tool.
    pub(crate) async fn answer(
        &self,
        name: &str,
        arguments: Option<JsonMap>,
        call: CallContext,
    ) -> Option<Result<Answer, ToolError>> {
        let desk = match self.desks.desk().await {
            Ok(desk) => desk,
            Err(error) => return Some(Err(error)),
        };
        let client = call.caller.client.clone();
        let answer = Self::answer_from(&desk.for_client(client), name, arguments, call).await;
        Some(self.desks.still(&desk).and(answer?))
    }

    async fn answer_from(
        desk: &Desk,
        name: &str,
        arguments: Option<JsonMap>,
        call: CallContext,
    ) -> Option<Result<Answer, ToolError>> {
        Some(match name {
            "alma_delegate_task" => match args::read(arguments) {
                Ok(args) => delegate::delegate(desk, args, &call.caller, &call.sink).await,
                Err(error) => Err(error),
            },
            "alma_report_subtask" => match args::read(arguments) {
                Ok(args) => report::report(desk, args).await,
                Err(error) => Err(error),
            },
            "alma_claim_subtask" => match args::read(arguments) {
                Ok(args) => claim::claim(desk, args).await,
                Err(error) => Err(error),
            },
            "alma_orchestration_status" => match args::read(arguments) {
                Ok(args) => status::status(desk, args, call).await,
                Err(error) => Err(error),
            },
            "alma_cancel_orchestration" => match args::read(arguments) {
                Ok(args) => cancel::cancel(desk, args).await,
                Err(error) => Err(error),
            },
            _ => return None,
        })
    }
}

impl ServerBuilder {
    /// Sets the settings of runs that are delegated. Their strategy is replaced: by `parallel`, or by what the client says.
    #[must_use]
    pub fn settings(mut self, settings: RunSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the name of the client's agent for whatever no other fits; `general-purpose` unless set.
    #[must_use]
    pub fn general_agent(mut self, name: impl Into<WorkerName>) -> Self {
        self.general = name.into();
        self
    }

    /// Says that this process is gone after a few calls: it takes a run over only when nothing goes on without an owner. The
    /// program that ends it calls [`Supervisor::leave`].
    #[must_use]
    pub fn visitor(mut self) -> Self {
        self.is_visitor = true;
        self
    }

    /// Says that the project has workers that are commands, and why the server has not been given them: what it answers to who
    /// asks for them, a sentence without a full stop that ends with what to do.
    #[must_use]
    pub fn withheld_commands(mut self, why: Option<String>) -> Self {
        self.withheld_commands = why;
        self
    }

    /// Sets where runs come from that are delegated, beside the client and the trace, which are those of each call.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Sets where the time comes from; the wall clock unless set.
    #[must_use]
    pub fn now(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    /// Makes the server. The general agent is registered with the supervisor, unless that has a worker of this name, which is
    /// taken as it is, or may not give work to it.
    ///
    /// # Errors
    /// When the project's folder does not exist.
    pub fn build(self) -> io::Result<Server> {
        let general = AgentWorker::new(self.general.clone(), "").with_floor(GENERAL_FIT);
        match self.supervisor.register_worker(general) {
            Ok(()) | Err(RegisterError::Taken(_)) => {}
            Err(error) => tracing::warn!(%error, "there is no general agent"),
        }
        let files = Files::new(&self.project)?;
        let mut desk = Desk::new(self.supervisor, files, self.settings, self.general, self.now);
        desk.is_visitor = self.is_visitor;
        desk.withheld_commands = self.withheld_commands;
        desk.lost = Arc::new(self.lost);
        desk.origin = self.origin;
        let (desks, _, _) = Desks::new(Served::Desk(Arc::new(desk)));
        Ok(Server { desks })
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tasks()
            .enable_resources()
            .enable_prompts()
            .build();
        let mut config = ServerConfig::new(capabilities).with_instructions(INSTRUCTIONS);
        config.server_info =
            Implementation::new("alma-orchestration", env!("CARGO_PKG_VERSION")).with_title("orch");
        config
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let knows_tasks = context.client_capabilities().is_some_and(|can| can.supports_tasks());
        let Some(answer) =
            self.answer(&request.name, request.arguments, call_context(context)).await
        else {
            let known: Vec<String> = tools().iter().map(|tool| tool.name.to_string()).collect();
            let message = format!("Unknown tool; there are: {}", known.join(", "));
            return Err(ErrorData::invalid_params(message, None));
        };
        if let Ok(Some(run)) = answer.as_ref().map(Answer::task)
            && knows_tasks
            && let Some(desk) = self.desks.current()
            && let Ok(row) = desk.row(run).await
        {
            return Ok(CallToolResponse::Task(CreateTaskResult::new(tasks::task(&row))));
        }
        Ok(CallToolResponse::Complete(match answer {
            Ok(answer) => CallToolResult::structured(answer.into_map().into()),
            Err(error) => {
                tracing::debug!(tool = %request.name, %error, "refused");
                let error = sentence(&error.to_string());
                CallToolResult::structured_error(json!({ "success": false, "error": error }))
            }
        }))
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list(&*self.desk().await?).await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&*self.desk().await?, &request.uri)
            .await
            .map(ReadResourceResponse::Complete)
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::prompts()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request.name, request.arguments.as_ref()).map(GetPromptResponse::Complete)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = short(&request.method, METHOD_BYTES);
        Err(if KNOWN.contains(&method.as_str()) {
            let message = format!("Invalid parameters of `{method}`");
            ErrorData::invalid_params(message, None)
        } else {
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("No method `{method}`"), None)
        })
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        tasks::get(&*self.desk().await?, &request.task_id).await.map(GetTaskResult::new)
    }

    /// Nothing is ever asked of the client within a task, so that there is nothing to be answered.
    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        tasks::find(&*self.desk().await?, &request.task_id).await.map(|_| ())
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        tasks::cancel(&*self.desk().await?, &request.task_id).await
    }
}

/// Makes the context of a call: progress is wanted if the request came with a token, and the caller waits until the request is cancelled.
fn call_context(request: RequestContext<RoleServer>) -> CallContext {
    let caller = Caller::of_request(&request);
    let call = CallContext::new(request.ct.cancelled_owned()).called_by(caller);
    let Some(token) = request.meta.get_progress_token() else { return call };
    let peer = request.peer;
    call.with_progress(move |progress: Progress| {
        let (peer, token) = (peer.clone(), token.clone());
        Box::pin(async move {
            let mut param = ProgressNotificationParam::new(token, progress.done);
            param.total = progress.total;
            // A client that has gone hears of nothing; its request ends by itself.
            let _ = peer.notify_progress(param.with_message(progress.message)).await;
        })
    })
}

/// Methods that `rmcp` knows: when one of them gets here, its parameters are wrong.
const KNOWN: [&str; 11] = [
    "initialize",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
];

/// Returns what is wrong with the arguments of a tool, `None` when nothing is.
#[cfg(test)]
pub(crate) fn arguments_error(tool: &str, arguments: JsonMap) -> Option<String> {
    let arguments = Some(arguments);
    let error = match tool {
        "alma_delegate_task" => args::read::<args::Delegate>(arguments).err(),
        "alma_report_subtask" => args::read::<args::Report>(arguments).err(),
        "alma_claim_subtask" => args::read::<args::Claim>(arguments).err(),
        "alma_orchestration_status" => args::read::<args::Status>(arguments).err(),
        _ => args::read::<args::Cancel>(arguments).err(),
    };
    error.map(|error| error.to_string())
}
