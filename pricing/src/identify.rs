//! Which provider and model a request means, with the facts that its host gives away.

use crate::catalogue::{Catalogue, ModelIndex};
use crate::host::Endpoint;
use crate::matching::Match;
use crate::provider::{ProviderIndex, is_not_a_provider};
use crate::quote::{Quote, Request};

/// The provider whose prices apply, and the model, which may be a fallback provider's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identified {
    pub(crate) provider: ProviderIndex,
    pub(crate) model: ModelIndex,
    /// Nobody named the provider or its host: the model's name alone gave it away.
    pub(crate) by_model_alone: bool,
}

/// SDKs of these providers are pointed at everybody's compatible endpoints, so their name says little once the
/// host is another provider's.
const SDK_NAMES: [&str; 2] = ["openai", "anthropic"];

impl Catalogue {
    /// The provider and model of a request, or `None` with the reason in the receipt.
    pub(crate) fn identify(&self, request: &Request<'_>, mut receipt: Option<&mut Quote>) -> Option<Identified> {
        let name = request.model.unwrap_or_default();
        let (provider, name, by_model_alone) = self.identify_provider(request, name, receipt.as_deref_mut())?;
        if let Some(quote) = receipt.as_deref_mut() {
            quote.name_provider(&self.provider(provider).id);
        }
        match self.find_model(provider, name) {
            Match::Found { model, spelling } => {
                if let Some(quote) = receipt {
                    let matched = self.model(model);
                    quote.name_model(&matched.id);
                    for spelling in spelling.describe() {
                        quote.assume(|| spelling.to_owned());
                    }
                    if matched.provider != provider {
                        let (wanted, owner) = (&self.provider(provider).id, &self.provider(matched.provider).id);
                        quote.assume(|| format!("{wanted} does not list the model: standard rates of {owner}"));
                    }
                }
                Some(Identified {
                    provider,
                    model,
                    by_model_alone,
                })
            }
            Match::Missing => {
                if let Some(quote) = receipt {
                    quote.because(|| self.no_such_model(provider, name));
                }
                None
            }
        }
    }

    fn no_such_model(&self, provider: ProviderIndex, name: &str) -> String {
        let id = &self.provider(provider).id;
        if name.trim().is_empty() {
            return "no model is named".to_owned();
        }
        let nearest = self.nearest_names(provider, name);
        if nearest.is_empty() {
            return format!("no catalogue entry for the model {name:?} at {id}");
        }
        format!(
            "no catalogue entry for the model {name:?} at {id}; the nearest known are {}",
            nearest.join(", ")
        )
    }

    /// The provider, the model name that is left when the provider was taken from it, and whether the name was all
    /// there was to go by.
    fn identify_provider<'r>(
        &self,
        request: &Request<'r>,
        model: &'r str,
        receipt: Option<&mut Quote>,
    ) -> Option<(ProviderIndex, &'r str, bool)> {
        // A name of the catalogue is a provider, whatever else it may sound like.
        let named = request.provider.and_then(|name| self.names.by_name(name));
        let explicit = request
            .provider
            .map(str::trim)
            .filter(|name| named.is_some() || !is_not_a_provider(name));
        if let Some(provider) = named.filter(|index| !SDK_NAMES.contains(&self.provider(*index).id.as_str())) {
            return Some((provider, model, false));
        }
        let endpoint = endpoint_of(request);
        let hosted = endpoint.and_then(|endpoint| self.names.by_endpoint(endpoint, named));
        if let Some(hosted) = hosted {
            if let (Some(name), Some(quote)) = (explicit.filter(|_| named != Some(hosted)), receipt) {
                let id = &self.provider(hosted).id;
                quote.assume(|| format!("the host is {id}'s: the provider name {name:?} was set aside"));
            }
            return Some((hosted, model, false));
        }
        if let Some(named) = named {
            return Some((named, model, false));
        }
        let refuse = |reason: &dyn Fn() -> String, receipt: Option<&mut Quote>| {
            if let Some(quote) = receipt {
                quote.because(reason);
            }
            None
        };
        if let Some(name) = explicit {
            return refuse(&|| format!("no catalogue entry for the provider {name:?}"), receipt);
        }
        if let Some(endpoint) = endpoint {
            return refuse(
                &|| format!("the host {:?} belongs to no known provider", endpoint.host),
                receipt,
            );
        }
        match self.provider_of_model(model) {
            Some((provider, rest)) => {
                if let Some(quote) = receipt {
                    let id = &self.provider(provider).id;
                    quote.assume(|| format!("no provider is named: {id} by the name of the model"));
                }
                Some((provider, rest, true))
            }
            None => refuse(
                &|| "no provider is named, and the model name is not one provider's own".to_owned(),
                receipt,
            ),
        }
    }

    /// The provider that the model name alone gives away: by its prefix, or because only one vendor uses it.
    fn provider_of_model<'n>(&self, model: &'n str) -> Option<(ProviderIndex, &'n str)> {
        let folded = model.trim().to_lowercase();
        if folded.is_empty() {
            return None;
        }
        let by_prefix = model.trim().split_once('/').and_then(|(prefix, rest)| {
            let provider = self.names.by_exact_name(prefix)?;
            matches!(self.find_model(provider, rest), Match::Found { .. }).then_some((provider, rest))
        });
        by_prefix.or_else(|| {
            let claims = |index: &usize| {
                self.providers[*index]
                    .unique_models
                    .iter()
                    .any(|pattern| pattern.matches(&folded))
            };
            let index = (0..self.providers.len()).find(claims)?;
            Some((ProviderIndex::try_from(index).ok()?, model))
        })
    }
}

pub(crate) fn endpoint_of<'a>(request: &Request<'a>) -> Option<Endpoint<'a>> {
    request
        .url
        .and_then(Endpoint::parse)
        .or_else(|| request.server_address.and_then(Endpoint::parse))
}

/// The facts of a request: those it carries, and those that its host or another fact implies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    request: &'a Request<'a>,
    implied: Option<(&'static str, &'a str)>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(request: &'a Request<'a>, provider: &str) -> Self {
        let implied = match provider {
            "openai" => endpoint_of(request)
                .and_then(|endpoint| endpoint.host.strip_suffix(".api.openai.com"))
                .map(|region| ("data_residency", region)),
            "google" => endpoint_of(request)
                .and_then(|endpoint| endpoint.host.strip_suffix("-aiplatform.googleapis.com"))
                .map(|location| ("vertex_location", location)),
            _ => None,
        };
        Self { request, implied }
    }

    /// Whether nothing is known at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.implied.is_none() && self.request.context.is_empty()
    }

    /// The value of a fact. A batch that is reported as a service tier is a batch all the same.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let context = self.request.context;
        if let Some(value) = context.get(name) {
            return Some(value);
        }
        if name == "processing" && context.get("service_tier") == Some("batch") {
            return Some("batch");
        }
        self.implied.filter(|(implied, _)| *implied == name).map(|(_, value)| value)
    }
}
