//! Templates of arguments, variables and folders, over an allow-list of names.
//!
//! Three checks, each as early as it can be: names that no attempt could have are refused when the worker is made; values
//! that a subtask lacks, before the run ([`Templates::check`]); results of dependencies, when the attempt begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use orch_core::nearest;
use thiserror::Error;

use super::variables::{KNOWN, Variables};

/// What is wrong with a template of a command worker. `field` says where it stands, for example `command[1]`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TemplateIssue {
    /// It cannot be read.
    #[error("{field}: not a template")]
    #[non_exhaustive]
    Syntax {
        /// Where.
        field: String,
        /// What is wrong with it.
        source: Error,
    },
    /// It uses a name that no attempt has.
    #[error("{field}: unknown name `{name}`{}", hint(.nearest))]
    #[non_exhaustive]
    Unknown {
        /// Where.
        field: String,
        /// The name.
        name: String,
        /// The known name that resembles it most.
        nearest: Option<String>,
    },
    /// It uses a value that this subtask does not have.
    #[error("{field}: `{name}` is missing{}", hint(.nearest))]
    #[non_exhaustive]
    Missing {
        /// Where.
        field: String,
        /// The name of the value, or the text of the template when no single name can be told.
        name: String,
        /// The name of a value that is there and resembles it most.
        nearest: Option<String>,
    },
    /// It cannot be filled in.
    #[error("{field}: cannot be filled in")]
    #[non_exhaustive]
    Render {
        /// Where.
        field: String,
        /// Why.
        source: Error,
    },
    /// The text has a NUL character, which no argument or variable can hold.
    #[error("{field}: has a NUL character")]
    #[non_exhaustive]
    Nul {
        /// Where.
        field: String,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default()
}

/// The templates of one worker, read and checked.
pub(super) struct Templates {
    engine: Environment<'static>,
    fields: Vec<Field>,
}

struct Field {
    /// Where it stands in the configuration.
    name: String,
    template: String,
    /// The dotted names that it uses, such as `subtask.context.path`.
    paths: BTreeSet<String>,
}

impl Templates {
    /// Reads `fields` (where each stands, its template), and refuses names that no attempt has.
    pub(super) fn new(
        fields: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TemplateIssue> {
        let engine = engine();
        let fields = fields
            .into_iter()
            .map(|(name, template)| Field::new(&engine, name, template))
            .collect::<Result<_, _>>()?;
        Ok(Self { engine, fields })
    }

    /// Tells whether a template uses `root`, a name of the first level.
    pub(super) fn uses(&self, root: &str) -> bool {
        self.fields.iter().flat_map(|f| &f.paths).any(|path| path.split('.').next() == Some(root))
    }

    /// Fills all templates in, in their order; each becomes exactly one text.
    pub(super) fn render(&self, variables: &Variables) -> Result<Vec<String>, TemplateIssue> {
        self.fields.iter().map(|field| field.render(&self.engine, &variables.0)).collect()
    }

    /// Says what is missing when only the results of dependencies are not known yet.
    pub(super) fn check(&self, variables: &Variables) -> Result<(), TemplateIssue> {
        for field in &self.fields {
            match field.render(&self.engine, &variables.0) {
                Ok(_) => {}
                // What a template does with a result can only be seen with the result.
                Err(TemplateIssue::Render { .. }) if field.uses_results() => {}
                Err(issue) => return Err(issue),
            }
        }
        Ok(())
    }
}

/// Templates see nothing but their variables and these few filters: no loader, no globals, no functions.
fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_keep_trailing_newline(true);
    engine.add_filter("default", minijinja::filters::default);
    engine.add_filter("join", minijinja::filters::join);
    engine.add_filter("tojson", |value: Value| to_json(&value));
    engine.add_test("defined", minijinja::tests::is_defined);
    engine.set_formatter(|out, _state, value| {
        if value.is_undefined() {
            return Err(ErrorKind::UndefinedError.into());
        }
        let written = match value.as_str() {
            Some(text) => out.write_str(text),
            None => out.write_str(&to_json(value)?),
        };
        written.map_err(Error::from)
    });
    engine
}

fn to_json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::BadSerialization, "not JSON").with_source(e))
}

impl Field {
    fn new(
        engine: &Environment<'_>,
        name: String,
        template: String,
    ) -> Result<Self, TemplateIssue> {
        let paths = match engine.template_from_str(&template) {
            Ok(parsed) => parsed.undeclared_variables(true).into_iter().collect(),
            Err(source) => return Err(TemplateIssue::Syntax { field: name, source }),
        };
        let field = Self { name, template, paths };
        for path in &field.paths {
            field.check_known(path)?;
        }
        Ok(field)
    }

    fn check_known(&self, path: &str) -> Result<(), TemplateIssue> {
        let unknown = |name: String, nearest: Option<String>| TemplateIssue::Unknown {
            field: self.name.clone(),
            name,
            nearest,
        };
        let mut parts = path.split('.');
        let root = parts.next().unwrap_or_default();
        let Some((_, members)) = KNOWN.iter().find(|(known, _)| *known == root) else {
            let close = nearest(root, KNOWN.iter().map(|(known, _)| *known));
            return Err(unknown(root.to_owned(), close.map(str::to_owned)));
        };
        match parts.next() {
            Some(member) if !members.is_empty() && !members.contains(&member) => {
                let close = nearest(member, members.iter().copied());
                Err(unknown(format!("{root}.{member}"), close.map(|c| format!("{root}.{c}"))))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn uses_results(&self) -> bool {
        self.paths.iter().any(|path| path == "results" || path.starts_with("results."))
    }

    fn render(
        &self,
        engine: &Environment<'_>,
        variables: &BTreeMap<&'static str, Value>,
    ) -> Result<String, TemplateIssue> {
        let text = engine
            .render_str(&self.template, variables)
            .map_err(|source| self.explain(source, variables))?;
        if text.contains('\0') {
            return Err(TemplateIssue::Nul { field: self.name.clone() });
        }
        Ok(text)
    }

    fn explain(&self, source: Error, variables: &BTreeMap<&'static str, Value>) -> TemplateIssue {
        let field = self.name.clone();
        if source.kind() != ErrorKind::UndefinedError {
            return TemplateIssue::Render { field, source };
        }
        let (name, nearest) = self
            .paths
            .iter()
            .find_map(|path| missing(path, variables))
            .unwrap_or_else(|| (self.template.clone(), None));
        TemplateIssue::Missing { field, name, nearest }
    }
}

/// Returns how far `path` can be followed, one name further, and the nearest name that is there instead.
fn missing(
    path: &str,
    variables: &BTreeMap<&'static str, Value>,
) -> Option<(String, Option<String>)> {
    let mut parts = path.split('.');
    let mut walked = parts.next()?.to_owned();
    let mut value = variables.get(walked.as_str())?.clone();
    for part in parts {
        let next = value.get_attr(part).unwrap_or_default();
        if next.is_undefined() {
            let keys: Vec<String> =
                value.try_iter().into_iter().flatten().map(|k| k.to_string()).collect();
            let close = nearest(part, keys.iter().map(String::as_str));
            return Some((format!("{walked}.{part}"), close.map(|c| format!("{walked}.{c}"))));
        }
        walked = format!("{walked}.{part}");
        value = next;
    }
    None
}

/// Stands for the output of a dependency before there is one: every member is there, and all are pending too.
#[derive(Debug)]
pub(super) struct Pending;

impl Object for Pending {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from_dyn_object(self.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}
