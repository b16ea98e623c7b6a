//! The type of a task that does not say.

/// Words and the type that they stand for, in the order in which they are looked for.
///
/// Words, types and order are those of ALMA, which a project may share its memory with: what both infer of one description
/// must be the same type, or neither finds what the other has learned. So "test the API" is `testing`, not `api_testing`.
/// Unlike ALMA, whole words are matched, in all their forms: "latest" is no test and "transform" no form.
const TABLE: [(&[&str], &str); 4] = [
    (
        &[
            "test",
            "tests",
            "tested",
            "testing",
            "validate",
            "validates",
            "validated",
            "validating",
            "validation",
        ],
        "testing",
    ),
    (&["api", "apis", "endpoint", "endpoints"], "api_testing"),
    (&["form", "forms", "input", "inputs"], "form_testing"),
    (&["database", "databases", "query", "queries"], "database_validation"),
];

/// Infers the type of a task from its description, by whole words in any case; `general` when no known word is in it.
///
/// ```
/// assert_eq!(orch_core::infer_task_type("Test the API"), "testing");
/// assert_eq!(orch_core::infer_task_type("Describe every endpoint"), "api_testing");
/// assert_eq!(orch_core::infer_task_type("Transform the latest data"), "general");
/// ```
pub fn infer_task_type(description: &str) -> &'static str {
    let lower = description.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    TABLE
        .iter()
        .find(|(known, _)| words.iter().any(|word| known.contains(word)))
        .map_or("general", |(_, task_type)| task_type)
}
