//! The facts of a request that change rates: service tier, batch, speed, region and the like.
//!
//! Names and values are folded (trimmed, lower case), because emitters spell "Flex" as they like. Which facts
//! matter is decided by the catalogue, not here; a fact that no rate asks for changes nothing.

/// The facts of one request, by name. Common names: `service_tier`, `processing` (`batch`), `speed`,
/// `search_type`, `route`, `inference_geo`, `data_residency`, `vertex_location`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Context {
    /// Sorted by name.
    facts: Vec<(String, String)>,
}

impl Context {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a fact. An empty value removes it: "not said" and "said nothing" are the same.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        let (name, value) = (fold(name), fold(value));
        match self.facts.binary_search_by(|(present, _)| present.as_str().cmp(&name)) {
            Ok(at) if value.is_empty() => {
                self.facts.remove(at);
            }
            Ok(at) => self.facts[at].1 = value,
            Err(_) if value.is_empty() || name.is_empty() => {}
            Err(at) => self.facts.insert(at, (name, value)),
        }
        self
    }

    /// The value of a fact, folded.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.facts
            .iter()
            .find(|(present, _)| present == name)
            .map(|(_, value)| value.as_str())
    }

    /// The facts by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Context {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(facts: I) -> Self {
        let mut context = Self::new();
        for (name, value) in facts {
            context.set(name.as_ref(), value.as_ref());
        }
        context
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        let context: Context = [(" Service_Tier", "Flex ")].into_iter().collect();
        assert_eq!(context.get("service_tier"), Some("flex"));
        assert_eq!(context.get("speed"), None);
    }

    #[test]
    fn an_empty_value_is_no_fact() {
        let mut context: Context = [("speed", "fast")].into_iter().collect();
        context.set("speed", "").set("route", " ");
        assert!(context.is_empty());
    }
}
