//! The columns of FOCUS, in the order of its specification's list, and ours behind them under `x_`.
//!
//! <https://focus.finops.org/focus-specification/v1-2/>: the columns that it wants on every row are there and never empty where it
//! forbids that; quantities and unit prices are empty where no price stands behind a charge.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use serde_json::json;

use super::{Charge, FocusOptions};
use crate::revenue::Amount;
use crate::revenue::time::{Day, day_text, month_of, next_month};

/// What stands where FOCUS wants a name and nobody said one.
const UNKNOWN: &str = "Unknown";

const ONE: i128 = 10_i128.pow(MONEY_SCALE as u32);

impl Charge {
    fn customer(&self) -> Option<&str> {
        self.keys[1].as_deref()
    }

    fn provider(&self) -> &str {
        self.keys[4].as_deref().unwrap_or(UNKNOWN)
    }

    fn model(&self) -> Option<&str> {
        self.keys[5].as_deref()
    }

    fn is_model(&self) -> bool {
        self.keys[7].as_deref() != Some("other_cogs") && self.model().is_some()
    }

    /// Empty unless a price stands behind the quantity: FOCUS forbids a quantity without `SkuPriceId`.
    fn quantity(&self) -> Option<Amount> {
        self.used
            .as_ref()
            .filter(|used| used.price_id.is_some())
            .map(|used| used.quantity)
    }

    fn unit_price(&self, cost: Amount) -> Option<Amount> {
        cost.ratio(ONE, self.quantity()?.scaled())
    }

    /// `Input tokens` of `input_tokens`.
    fn meter(&self) -> Option<String> {
        let name = self.used.as_ref()?.unit.replace('_', " ");
        let mut letters = name.chars();
        Some(letters.next()?.to_uppercase().chain(letters).collect())
    }

    fn unit(&self) -> Option<String> {
        self.quantity()?;
        let unit = &self.used.as_ref()?.unit;
        Some(match unit.ends_with("tokens") {
            true => "Tokens".to_owned(),
            false => self.meter()?,
        })
    }

    fn sku(&self) -> Option<String> {
        Some(format!("{}/{}", self.provider(), self.model()?))
    }

    fn description(&self) -> String {
        let what = self.meter().unwrap_or_else(|| "Charge".to_owned());
        format!("{what} of {}", self.model().unwrap_or("other services"))
    }

    fn price_details(&self) -> Option<String> {
        let used = self.used.as_ref()?;
        Some(json!({ "x_Model": self.model(), "x_TokenType": used.unit }).to_string())
    }

    fn tags(&self) -> String {
        json!({ "environment": self.keys[6], "service_name": self.keys[3], "tenant": self.keys[0] }).to_string()
    }
}

/// Midnight of a day, as FOCUS writes it.
fn midnight(day: Day) -> Option<String> {
    Some(format!("{}T00:00:00Z", day_text(day)))
}

/// All rows.
pub(super) fn batch(charges: &[Charge], options: &FocusOptions) -> Result<RecordBatch, ArrowError> {
    let texts =
        |of: &dyn Fn(&Charge) -> Option<String>| -> ArrayRef { Arc::new(charges.iter().map(of).collect::<StringArray>()) };
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(charges.iter().map(|_| text))) };
    let money = |of: &dyn Fn(&Charge) -> Option<Amount>| -> Result<ArrayRef, ArrowError> {
        let column = charges
            .iter()
            .map(|charge| of(charge).map(Amount::scaled))
            .collect::<Decimal128Array>();
        Ok(Arc::new(column.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?))
    };
    let account = options.billing_account.as_str();
    let model = |charge: &Charge, yes: &str, no: &str| Some(if charge.is_model() { yes } else { no }.to_owned());
    let provider = |charge: &Charge| Some(charge.provider().to_owned());
    RecordBatch::try_from_iter([
        (
            "BilledCost",
            money(&|charge| Some(if options.billed { charge.cost } else { Amount::ZERO }))?,
        ),
        ("BillingAccountId", same(account)),
        ("BillingAccountName", same(account)),
        ("BillingCurrency", same("USD")),
        ("BillingPeriodEnd", texts(&|charge| midnight(next_month(charge.day)))),
        ("BillingPeriodStart", texts(&|charge| midnight(month_of(charge.day)))),
        ("ChargeCategory", same("Usage")),
        ("ChargeClass", texts(&|_| None)),
        ("ChargeDescription", texts(&|charge| Some(charge.description()))),
        ("ChargeFrequency", same("Usage-Based")),
        ("ChargePeriodEnd", texts(&|charge| midnight(charge.day + 1))),
        ("ChargePeriodStart", texts(&|charge| midnight(charge.day))),
        ("ConsumedQuantity", money(&Charge::quantity)?),
        ("ConsumedUnit", texts(&Charge::unit)),
        ("ContractedCost", money(&|charge| Some(charge.cost))?),
        ("ContractedUnitPrice", money(&|charge| charge.unit_price(charge.cost))?),
        ("EffectiveCost", money(&|charge| Some(charge.cost))?),
        ("HostProviderName", texts(&provider)),
        ("InvoiceIssuerName", texts(&provider)),
        ("ListCost", money(&|charge| Some(charge.list_cost))?),
        ("ListUnitPrice", money(&|charge| charge.unit_price(charge.list_cost))?),
        (
            "PricingCategory",
            texts(&|charge| charge.quantity().map(|_| "Standard".to_owned())),
        ),
        ("PricingCurrency", same("USD")),
        ("PricingQuantity", money(&Charge::quantity)?),
        ("PricingUnit", texts(&Charge::unit)),
        ("ProviderName", texts(&provider)),
        ("PublisherName", texts(&provider)),
        (
            "ServiceCategory",
            texts(&|charge| model(charge, "AI and Machine Learning", "Other")),
        ),
        (
            "ServiceName",
            texts(&|charge| model(charge, "Model inference", "Other services")),
        ),
        ("ServiceProviderName", texts(&provider)),
        (
            "ServiceSubcategory",
            texts(&|charge| model(charge, "Generative AI", "Other (Other)")),
        ),
        ("SkuId", texts(&Charge::sku)),
        ("SkuMeter", texts(&Charge::meter)),
        (
            "SkuPriceDetails",
            texts(&|charge| charge.quantity().and_then(|_| charge.price_details())),
        ),
        (
            "SkuPriceId",
            texts(&|charge| charge.used.as_ref().and_then(|used| used.price_id.clone())),
        ),
        ("SubAccountId", texts(&|charge| charge.keys[0].clone())),
        ("SubAccountName", texts(&|charge| charge.keys[0].clone())),
        ("Tags", texts(&|charge| Some(charge.tags()))),
        ("x_ConsumerId", texts(&|charge| charge.customer().map(str::to_owned))),
        ("x_CostClass", texts(&|charge| charge.keys[7].clone())),
        ("x_CostSource", texts(&|charge| charge.keys[8].clone())),
        ("x_Feature", texts(&|charge| charge.keys[2].clone())),
        (
            "x_Calls",
            Arc::new(Int64Array::from_iter_values(charges.iter().map(|charge| charge.calls))) as ArrayRef,
        ),
    ])
}
