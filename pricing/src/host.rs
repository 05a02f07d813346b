//! Hosts of provider APIs: anchored as a whole, so that `api.openai.com.evil.example` is nobody's.

/// A host pattern, for example `*.openai.azure.com` or `router.huggingface.co/groq`.
#[derive(Debug)]
pub(crate) struct HostPattern {
    labels: Vec<Label>,
    path: Vec<Label>,
}

#[derive(Debug)]
enum Label {
    Exact(Box<str>),
    /// `*`: one label, any.
    Any,
    /// `**`, first only: one label or more.
    AnyRun,
}

/// The host and path of an endpoint, as spans carry it: a bare host, a host with a port, or a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

impl<'a> Endpoint<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let host = host.trim_end_matches('.');
        let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
        (!host.is_empty()).then_some(Self { host, path })
    }
}

impl HostPattern {
    pub(crate) fn new(text: &str) -> Option<Self> {
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let label = |text: &str| match text {
            "*" => Label::Any,
            "**" => Label::AnyRun,
            exact => Label::Exact(exact.to_lowercase().into()),
        };
        let labels: Vec<Label> = host.split('.').map(label).collect();
        let well_formed = host
            .split('.')
            .enumerate()
            .all(|(index, text)| !text.is_empty() && (!text.contains('*') || text == "*" || (text == "**" && index == 0)));
        let path = path.split('/').filter(|segment| !segment.is_empty()).map(label).collect();
        (well_formed && labels.len() >= 2).then_some(Self { labels, path })
    }

    pub(crate) fn matches(&self, endpoint: Endpoint<'_>) -> bool {
        let mut labels = self.labels.iter().rev();
        let mut host = endpoint.host.rsplit('.');
        loop {
            match (labels.next(), host.next()) {
                (None, None) => break,
                (Some(Label::AnyRun), Some(_)) => break,
                (Some(label), Some(text)) if label.accepts(text) => {}
                _ => return false,
            }
        }
        let mut segments = endpoint.path.split('/').filter(|segment| !segment.is_empty());
        self.path
            .iter()
            .all(|label| segments.next().is_some_and(|segment| label.accepts(segment)))
    }
}

impl Label {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text.eq_ignore_ascii_case(exact),
            Self::Any | Self::AnyRun => !text.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_matched_as_a_whole() {
        for (pattern, endpoint, expected) in [
            ("api.openai.com", "https://api.openai.com/v1", true),
            ("api.openai.com", "api.openai.com:443", true),
            ("api.openai.com", "API.OpenAI.com.", true),
            ("api.openai.com", "https://api.openai.com.evil.example/v1", false),
            ("api.openai.com", "https://evil.example/api.openai.com", false),
            ("api.openai.com", "https://api.openai.com@evil.example/", false),
            ("*.openai.azure.com", "contoso.openai.azure.com", true),
            ("*.openai.azure.com", "openai.azure.com", false),
            ("*.openai.azure.com", "a.b.openai.azure.com", false),
            ("**.googleapis.com", "us-central1-aiplatform.googleapis.com", true),
            ("**.googleapis.com", "a.b.googleapis.com", true),
            ("**.googleapis.com", "googleapis.com", false),
            (
                "router.huggingface.co/groq",
                "https://router.huggingface.co/groq/openai/v1",
                true,
            ),
            ("router.huggingface.co/groq", "https://router.huggingface.co/groqq/v1", false),
            ("router.huggingface.co/groq", "router.huggingface.co", false),
            (
                "api.cloudflare.com/client/v4/accounts/*/ai",
                "https://api.cloudflare.com/client/v4/accounts/7/ai/run",
                true,
            ),
        ] {
            let endpoint = Endpoint::parse(endpoint).expect("an endpoint");
            assert_eq!(
                HostPattern::new(pattern).expect("a pattern").matches(endpoint),
                expected,
                "{pattern} {endpoint:?}"
            );
        }
    }

    #[test]
    fn a_pattern_that_is_too_wide_is_refused() {
        for text in ["", "com", "*", "api.**.com", "a*.example.com", "a..b"] {
            assert!(HostPattern::new(text).is_none(), "{text:?}");
        }
    }
}
