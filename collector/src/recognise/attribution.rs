//! Whom a record was for: customer, user, conversation, feature, task, agent, prompt and environment.
//!
//! Reads a record's own attributes and its resource. What is inherited from ancestors or donated by duplicates is
//! settle's. No convention has a standard key for customers, so the lists are long and can be extended.

use std::borrow::Cow;
use std::fmt;

use marginlake_lake::schema::Dimension;

use super::field::Field;
use super::gather::{Gathered, LONGEST_WORDS};
use super::payload::scan::{Scalar, plain, scan};
use super::profile::Habits;

/// Attribute keys that a user adds, each tried before the defaults, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttributionConfig {
    /// Keys of the paying customer (tenant, organisation, account).
    pub customer: Vec<String>,
    /// Keys of the end user.
    pub user: Vec<String>,
    /// Keys of the conversation or session.
    pub conversation: Vec<String>,
    /// Keys of the product's feature.
    pub feature: Vec<String>,
    /// Keys of the task or job.
    pub task: Vec<String>,
    /// Keys of the agent's name.
    pub agent: Vec<String>,
    /// Keys of the prompt's name.
    pub prompt_name: Vec<String>,
    /// Keys of the prompt's version.
    pub prompt_version: Vec<String>,
    /// Keys of the environment (production, staging).
    pub environment: Vec<String>,
    /// Attributes kept in `tags`: exact keys, or prefixes that end in `*`. Content is never kept.
    pub keep: Vec<String>,
    /// File of users' customers: read when calls are settled, unused here.
    pub customer_map: Option<std::path::PathBuf>,
}

/// How records tell a dimension.
pub(super) trait Told {
    /// The field that holds it.
    fn field(self) -> Field;
    /// The keys that the configuration adds.
    fn configured(self, config: &AttributionConfig) -> &[String];
    /// The defaults, the most telling first.
    fn defaults(self) -> &'static [&'static str];
    /// Names that applications choose inside an emitter's free metadata.
    fn metadata_names(self) -> &'static [&'static str];
}

impl Told for Dimension {
    fn field(self) -> Field {
        match self {
            Dimension::Customer => Field::Customer,
            Dimension::User => Field::User,
            Dimension::Conversation => Field::Conversation,
            Dimension::Feature => Field::Feature,
            Dimension::Task => Field::Task,
            Dimension::Agent => Field::Agent,
            Dimension::PromptName => Field::PromptName,
            Dimension::PromptVersion => Field::PromptVersion,
            Dimension::Environment => Field::Environment,
        }
    }

    fn configured(self, config: &AttributionConfig) -> &[String] {
        match self {
            Dimension::Customer => &config.customer,
            Dimension::User => &config.user,
            Dimension::Conversation => &config.conversation,
            Dimension::Feature => &config.feature,
            Dimension::Task => &config.task,
            Dimension::Agent => &config.agent,
            Dimension::PromptName => &config.prompt_name,
            Dimension::PromptVersion => &config.prompt_version,
            Dimension::Environment => &config.environment,
        }
    }

    fn defaults(self) -> &'static [&'static str] {
        match self {
            Dimension::Customer => &[
                "customer.id",
                "customer_id",
                "app.customer.id",
                "app.customer_id",
                "tenant.id",
                "tenant_id",
                "tenant",
                "organization.id",
                "organization_id",
                "org.id",
                "org_id",
                "account.id",
                "account_id",
                "litellm.team.id",
                "metadata.user_api_key_team_id",
                "metadata.user_api_key_org_id",
                "metadata.user_api_key_project_id",
                "litellm.metadata.user_api_key_org_id",
                "github.copilot.github.org",
            ],
            Dimension::User => &[
                "user.id",
                "langfuse.user.id",
                "enduser.id",
                "enduser.pseudo.id",
                "gen_ai.user",
                "gen_ai.request.user",
                "llm.user",
                "litellm.end_user.id",
                "metadata.user_api_key_end_user_id",
                "metadata.user_api_key_user_id",
                "langfuse.observation.metadata.langfuse_user_id",
                "user_id",
                "user.account_uuid",
                "user.account_id",
                "user.email",
            ],
            Dimension::Conversation => &[
                "gen_ai.conversation.id",
                "session.id",
                "langfuse.session.id",
                "gcp.vertex.agent.session_id",
                "conversation.id",
                "gen_ai.thread.id",
                "copilot_chat.session_id",
                "langfuse.observation.metadata.langfuse_session_id",
                "conversation_id",
                "session_id",
                "thread_id",
                "thread.id",
            ],
            Dimension::Feature => &[
                "feature",
                "feature.name",
                "app.feature",
                "product.feature",
                "gen_ai.workflow.name",
                "traceloop.workflow.name",
                "ai.telemetry.functionId",
            ],
            Dimension::Task => &["task.id", "task_id", "app.task.id", "app.task_id", "job.id", "job_id"],
            Dimension::Agent => &[
                "gen_ai.agent.name",
                "agent.name",
                "agent_name",
                "lc_agent_name",
                "gen_ai.agent.id",
            ],
            Dimension::PromptName => &[
                "gen_ai.prompt.name",
                "langfuse.observation.prompt.name",
                "traceloop.prompt.key",
                "prompt.id",
            ],
            Dimension::PromptVersion => &[
                "gen_ai.prompt.version",
                "langfuse.observation.prompt.version",
                "traceloop.prompt.version",
                "traceloop.prompt.version_name",
                "traceloop.prompt.version_hash",
                "llm.prompt_template.version",
            ],
            Dimension::Environment => &[
                "deployment.environment.name",
                "deployment.environment",
                "langfuse.environment",
            ],
        }
    }

    fn metadata_names(self) -> &'static [&'static str] {
        match self {
            Dimension::Customer => &[
                "customer_id",
                "customerId",
                "customer",
                "tenant_id",
                "tenantId",
                "tenant",
                "org_id",
                "orgId",
                "organization_id",
                "organizationId",
                "account_id",
                "accountId",
                "team_id",
            ],
            Dimension::User => &["user_id", "userId", "user"],
            Dimension::Conversation => &[
                "session_id",
                "sessionId",
                "conversation_id",
                "conversationId",
                "thread_id",
                "threadId",
            ],
            Dimension::Feature => &["feature", "feature_name", "featureName"],
            Dimension::Task => &["task_id", "taskId", "job_id", "jobId"],
            Dimension::Agent => &["lc_agent_name", "agent_name", "agentName"],
            Dimension::PromptName => &["prompt_name", "promptName"],
            Dimension::PromptVersion => &["prompt_version", "promptVersion"],
            Dimension::Environment => &["environment"],
        }
    }
}

/// Where emitters put an application's free metadata, one attribute per name.
const METADATA_PREFIXES: &[&str] = &[
    "traceloop.association.properties.",
    "ai.telemetry.metadata.",
    "ai.settings.context.",
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "langsmith.metadata.",
    "mastra.metadata.",
    "trace.metadata.",
    "mlflow.traceTag.",
    "metadata.",
];

/// Where emitters put it as one JSON object.
const METADATA_OBJECTS: &[&str] = &["metadata", "langsmith.metadata", "langfuse.trace.metadata", "cf-aig-metadata"];

/// Every key that feeds a dimension, in the order of preference.
pub(super) fn dimension_keys(config: &AttributionConfig) -> Vec<(Field, Vec<String>)> {
    let mut all: Vec<(Field, Vec<String>)> = Dimension::ALL
        .into_iter()
        .map(|dimension| {
            let mut keys = dimension.configured(config).to_vec();
            // The SDK's own named properties of Traceloop stand first among the defaults.
            for name in dimension.metadata_names() {
                keys.push(format!("{}{name}", METADATA_PREFIXES[0]));
            }
            keys.extend(dimension.defaults().iter().map(ToString::to_string));
            for prefix in &METADATA_PREFIXES[1..] {
                keys.extend(dimension.metadata_names().iter().map(|name| format!("{prefix}{name}")));
            }
            (dimension.field(), keys)
        })
        .collect();
    all.push((Field::Metadata, METADATA_OBJECTS.iter().map(ToString::to_string).collect()));
    all
}

/// Where a value came from; the text is the value in `attribution_source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source<'a> {
    /// An attribute of the record.
    Attribute(&'a str),
    /// A name inside a JSON object attribute of the record.
    Metadata {
        /// The attribute.
        attribute: &'a str,
        /// The name inside it.
        name: &'a str,
    },
    /// An attribute of the resource: weaker than anything inherited from an ancestor.
    Resource(&'a str),
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Attribute(key) => out.write_str(key),
            Source::Metadata { attribute, name } => write!(out, "{attribute}:{name}"),
            Source::Resource(key) => write!(out, "resource:{key}"),
        }
    }
}

/// A value with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributed<'a> {
    /// The id or name.
    pub value: Cow<'a, str>,
    /// Where it was read.
    pub source: Source<'a>,
}

/// The attribution of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution<'a>([Option<Attributed<'a>>; Dimension::COUNT]);

impl<'a> Attribution<'a> {
    /// The value of one dimension.
    pub fn get(&self, dimension: Dimension) -> Option<&Attributed<'a>> {
        self.0[dimension as usize].as_ref()
    }

    /// Whether no dimension has a value.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// All dimensions that have a value, in the order of the columns.
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, &Attributed<'a>)> {
        Dimension::ALL
            .into_iter()
            .filter_map(|dimension| Some((dimension, self.get(dimension)?)))
    }

    fn set(&mut self, dimension: Dimension, value: Cow<'a, str>, source: Source<'a>) {
        self.0[dimension as usize] = Some(Attributed { value, source });
    }
}

/// Reads a record's own attributes into an empty attribution; `resource` fills what they leave open.
pub(super) fn read<'a>(
    gathered: &Gathered<'_, 'a>,
    resource: &Attribution<'a>,
    habits: Habits,
    attribution: &mut Attribution<'a>,
) {
    for dimension in Dimension::ALL {
        if dimension == Dimension::PromptName && habits.prompts_are_ids {
            continue;
        }
        if let Some((value, key)) = gathered.words_with_key(dimension.field()) {
            attribution.set(dimension, value, Source::Attribute(key));
        }
    }
    // An entity is an agent, or a task, a tool, a workflow: its kind says which.
    if attribution.get(Dimension::Agent).is_none()
        && gathered.text(Field::TraceloopKind) == Some("agent")
        && let Some((value, key)) = gathered.words_with_key(Field::TraceloopEntity)
    {
        attribution.set(Dimension::Agent, value, Source::Attribute(key));
    }
    if let Some((text, attribute)) = gathered.text_with_key(Field::LinkedPrompts) {
        from_linked_prompts(text, attribute, gathered, attribution);
    }
    if let Some((text, attribute)) = gathered.text_with_key(Field::Metadata) {
        from_object(text, attribute, gathered, attribution);
    }
    for dimension in Dimension::ALL {
        if let (None, Some(found)) = (attribution.get(dimension), resource.get(dimension)) {
            attribution.0[dimension as usize] = Some(found.clone());
        }
    }
}

/// Reads a resource: its values are marked, since an ancestor's own attribute beats them.
pub(super) fn of_resource<'a>(gathered: &Gathered<'_, 'a>) -> Attribution<'a> {
    let mut attribution = Attribution::default();
    for dimension in Dimension::ALL {
        if let Some((value, key)) = gathered.words_with_key(dimension.field()) {
            attribution.set(dimension, value, Source::Resource(key));
        }
    }
    attribution
}

/// `[{"name": …, "version": …}]`: the first of the prompts that a trace used.
fn from_linked_prompts<'a>(text: &'a str, attribute: &'a str, gathered: &Gathered<'_, 'a>, attribution: &mut Attribution<'a>) {
    let _ = scan(text, |path, scalar| {
        let (Scalar::Text(value) | Scalar::Number(value)) = scalar else {
            return;
        };
        let (dimension, name) = match path {
            ["[]", "name"] => (Dimension::PromptName, "name"),
            ["[]", "version"] => (Dimension::PromptVersion, "version"),
            _ => return,
        };
        if let (Some(value), None) = (id(value, gathered), attribution.get(dimension)) {
            attribution.set(dimension, value, Source::Metadata { attribute, name });
        }
    });
}

fn from_object<'a>(text: &'a str, attribute: &'a str, gathered: &Gathered<'_, 'a>, attribution: &mut Attribution<'a>) {
    let mut best = [usize::MAX; Dimension::COUNT];
    // A broken object ends the reading; what was read before it stands.
    let _ = scan(text, |path, scalar| {
        let [name] = path else { return };
        let (Scalar::Text(value) | Scalar::Number(value)) = scalar else {
            return;
        };
        for dimension in Dimension::ALL {
            let Some(rank) = dimension.metadata_names().iter().position(|known| known == name) else {
                continue;
            };
            let Some(value) = id(value, gathered) else { return };
            let at = dimension as usize;
            let own = matches!(
                &attribution.0[at],
                Some(Attributed {
                    source: Source::Attribute(_),
                    ..
                })
            );
            if !own && rank < best[at] {
                best[at] = rank;
                attribution.set(dimension, value, Source::Metadata { attribute, name });
            }
        }
    });
}

/// A value of JSON that can be an id or a name.
fn id<'a>(value: &'a str, gathered: &Gathered<'_, 'a>) -> Option<Cow<'a, str>> {
    let (is_empty, is_long) = (value.is_empty(), value.len() > LONGEST_WORDS);
    if is_long {
        gathered.note_too_long();
    }
    (!is_empty && !is_long).then(|| plain(value)).flatten()
}
