//! Prices of records whose usage settle changed, by the catalogue.
//!
//! Everything else keeps the price that the collector wrote: settle never moves a cost on its own.

use marginlake_pricing::{Amount, Catalogue, Context, Quote, Request, Scope, Usage};

use super::cumulative::Reprice;
use super::record::{CostLine, Price, Record};

/// Prices by a catalogue.
#[derive(Clone, Copy)]
pub struct CataloguePricer<'a> {
    catalogue: &'a Catalogue,
    known_at_unix_nano: Option<i64>,
}

impl<'a> CataloguePricer<'a> {
    /// A pricer by `catalogue`, with everything that it knows.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        CataloguePricer {
            catalogue,
            known_at_unix_nano: None,
        }
    }

    /// The same pricer with prices as they were known at a moment, in nanoseconds since the epoch.
    pub fn as_known_at(self, unix_nano: Option<i64>) -> Self {
        CataloguePricer {
            known_at_unix_nano: unix_nano,
            ..self
        }
    }

    fn quote(&self, record: &Record) -> Quote {
        let known = record
            .usage
            .iter()
            .flatten()
            .filter_map(|(key, count)| Some((&**key, (*count)?)));
        let usage: Usage = known.collect();
        let facts = record
            .price_context
            .iter()
            .flatten()
            .filter_map(|(key, value)| Some((&**key, value.as_deref()?)));
        let context: Context = facts.collect();
        let request = Request {
            provider: record.provider.as_deref(),
            server_address: record.server_address.as_deref(),
            model: record.response_model.as_deref(),
            scope: Scope {
                tenant: record.tenant.as_deref(),
                ..Scope::default()
            },
            known_at_unix_nano: self.known_at_unix_nano,
            ..Request::new(&usage, &context, record.priced_at_nano.unwrap_or(0))
        };
        self.catalogue.price_either(&request, record.request_model.as_deref())
    }

    /// What a reader of a restatement wants named beside the rates: contracts and factors that apply to `record`, and
    /// the source of a price that is the user's own.
    pub(crate) fn because(&self, record: &Record) -> Vec<String> {
        let lines = self.quote(record).lines;
        let own = lines
            .iter()
            .filter(|line| line.is_override)
            .map(|line| line.source.to_string());
        let applied = lines.iter().flat_map(|line| &line.applied);
        let applied = applied.map(|id| self.catalogue.describe_applied(id));
        let mut because: Vec<String> = own.chain(applied).filter(|text| !text.is_empty()).collect();
        because.sort_unstable();
        because.dedup();
        because
    }

    /// The price of what `record` used, at its moment. The emitter's own figure is not looked at.
    pub fn price(&self, record: &Record) -> Price {
        let quote = self.quote(record);
        let scale_12 = |amount: &Amount| amount.to_scale_12();
        Price {
            status: Some(quote.status.as_str().into()),
            list_cost_usd: quote.list_cost.as_ref().map(scale_12),
            cost_usd: quote.cost.as_ref().map(scale_12),
            cost_source: quote.cost.as_ref().map(|_| "computed".into()),
            price_id: quote.price_id.as_deref().map(Into::into),
            catalogue_hash: Some(self.catalogue.hash().into()),
            cost_lines: (!quote.lines.is_empty()).then(|| quote.lines.iter().map(line).collect()),
        }
    }
}

impl Reprice for CataloguePricer<'_> {
    fn reprice(&self, record: &mut Record) {
        record.price = self.price(record);
    }
}

fn line(line: &marginlake_pricing::Line) -> CostLine {
    CostLine {
        unit: Some(line.usage_key.into()),
        quantity: Some(line.quantity.to_scale_12()),
        rate: Some(line.rate.to_scale_12()),
        per: Some(line.per),
        multiplier: Some(line.multiplier.to_scale_12()),
        amount: Some(line.amount.to_scale_18()),
        price_id: Some((&*line.price_id).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::record::Signal;
    use marginlake_lake::schema::Role;

    #[test]
    fn a_changed_record_is_priced_exactly_at_its_moment() {
        let mut record = Record::empty(Signal::Span, Role::Llm);
        record.provider = Some("openai".into());
        record.request_model = Some("gpt-4.1".into());
        record.priced_at_nano = Some(1_794_830_400_000_000_000);
        record.usage = Some(vec![("input_tokens".into(), Some(250)), ("output_tokens".into(), Some(40))]);
        CataloguePricer::new(Catalogue::embedded()).reprice(&mut record);
        // 250 x 2 + 40 x 8 USD per million.
        assert_eq!(record.price.cost_usd, Some(820_000_000));
        let lines = record.price.cost_lines.unwrap();
        assert_eq!(lines.iter().filter_map(|line| line.amount).sum::<i128>(), 820_000_000_000_000);
    }
}
