//! The calls that a bill is about, as a condition of SQL.

use super::config::Over;
use crate::settle::rules::Patterns;

/// The condition; refuses one that says nothing.
pub(super) fn condition(over: &Over) -> Result<String, String> {
    let columns = [
        ("service_name", &over.service),
        ("environment", &over.environment),
        ("role", &over.role),
        ("provider", &over.provider),
        ("model", &over.model),
        ("customer_id", &over.customer),
        ("feature", &over.feature),
        ("agent_name", &over.agent),
        ("plan", &over.plan),
    ];
    let given = columns
        .into_iter()
        .filter_map(|(column, patterns)| Some((column, patterns.as_ref()?)));
    let conditions: Vec<String> = given.map(|(column, patterns)| any_of(column, patterns)).collect();
    match conditions.is_empty() {
        true => Err(
            "over says nothing: give at least one of service, environment, role, provider, model, customer, feature, agent, plan"
                .into(),
        ),
        false => Ok(conditions.join(" AND ")),
    }
}

fn any_of(column: &str, patterns: &Patterns) -> String {
    let all = match patterns {
        Patterns::One(pattern) => std::slice::from_ref(pattern),
        Patterns::Any(patterns) => patterns,
    };
    let each: Vec<String> = all.iter().map(|pattern| like(column, pattern)).collect();
    match each.is_empty() {
        true => "false".to_owned(),
        false => format!("({})", each.join(" OR ")),
    }
}

/// `*` stands for any text, everything else for itself.
fn like(column: &str, pattern: &str) -> String {
    let quoted = pattern.replace('\'', "''");
    if !pattern.contains('*') {
        return format!("{column} = '{quoted}'");
    }
    let escaped = quoted
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_")
        .replace('*', "%");
    format!("{column} LIKE '{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::empty_session;

    #[tokio::test]
    async fn patterns_stand_for_themselves_but_for_the_star() {
        let session = empty_session();
        for (pattern, value, matches) in [
            ("chat", "chat", true),
            ("chat", "chats", false),
            ("chat*", "chats", true),
            ("a_*", "a_1", true),
            ("a_*", "ab1", false),
            ("100%*", "100% pure", true),
            ("100%*", "100 pure", false),
            (r"back\*", r"back\slash", true),
            ("o'*", "o'neill", true),
            ("*", "", true),
        ] {
            let over = Over {
                feature: Some(Patterns::One(pattern.into())),
                ..Over::default()
            };
            let sql = format!(
                "SELECT CASE WHEN {} THEN 1 ELSE 0 END FROM (VALUES ('{}')) AS t (feature)",
                condition(&over).unwrap(),
                value.replace('\'', "''")
            );
            let counts = crate::marts::counts(&session, &sql).await.unwrap();
            assert_eq!(counts, [i64::from(matches)], "{pattern} {value}");
        }
        assert!(condition(&Over::default()).is_err());
    }
}
