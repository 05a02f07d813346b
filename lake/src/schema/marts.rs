//! The marts: `margin_*` around their own keys, the revenue and costs behind them by key, and what a report finds.
//!
//! Marts over a whole report rather than a day are dated by the report's last day, `date`, and name its first,
//! `from_date`. What each column means for its owner stands at the head of the mart's SQL file.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, money, schema, text};

/// Percent, at 6 decimal places.
fn percent(name: &str) -> Field {
    Field::new(name, DataType::Decimal128(38, 6), true)
}

/// An amount that is always known.
fn amount(name: &str) -> Field {
    Field::new(name, money(), false)
}

/// An amount that may not be known.
fn amount_or_null(name: &str) -> Field {
    Field::new(name, money(), true)
}

fn required(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn day(name: &str) -> Field {
    Field::new(name, DataType::Date32, false)
}

/// The common columns of a margin mart with the key columns `keys`, one row per day, currency and key.
///
/// `gross_margin = revenue - model_cost - other_cogs` and `contribution_margin = gross_margin - variable_cost`, over what
/// is known: where calls are unpriced the costs are lower bounds and the margins upper bounds, and `cost_status` says so.
/// They are not NULL, so that every mart sums to the same totals. `gross_margin_pct` is percent, NULL unless revenue is
/// positive.
pub fn margin_mart(keys: &[&str]) -> SchemaRef {
    let mut fields = vec![day("date")];
    fields.extend(keys.iter().map(|key| text(key)));
    fields.extend([
        required("currency"),
        amount("revenue"),
        // The part of `revenue` that is allocated to the key, not known of it.
        amount("revenue_allocated"),
        // How revenue came to this key: `direct`, the allocation's name, or `mixed`. NULL without revenue.
        text("allocation_method"),
        amount("model_cost"),
        amount("other_cogs"),
        amount("gross_margin"),
        percent("gross_margin_pct"),
        // Outside of COGS, inside of the contribution margin.
        amount("variable_cost"),
        amount("contribution_margin"),
        // Evaluation, development, internal use: shown, in no margin.
        amount("not_cogs_cost"),
        bigint("calls"),
        bigint("input_tokens"),
        bigint("output_tokens"),
        bigint("unpriced_calls"),
        // `known`, `lower_bound` (some calls have no price), `unknown` (none has), `no_usage`.
        text("cost_status"),
        // Revenue less model cost: the "AI layer" margin.
        amount("model_margin"),
        percent("model_margin_pct"),
        percent("contribution_margin_pct"),
        // The part of the costs that comes from bills and other costs that are no calls, over all classes.
        amount("spread_cost"),
        // Input tokens read from a cache, and how many percent of the input that is.
        bigint("cache_read_tokens"),
        percent("cache_hit_pct"),
        // Model calls that ended in an error, and what they cost.
        bigint("error_calls"),
        amount("error_cost"),
        // Tokens of calls without a price.
        bigint("unpriced_tokens"),
        // `gross_margin` if the unpriced tokens cost as much as those of the dearest model of the report. NULL where a call
        // has neither price nor tokens, or no model a price: then nothing bounds the cost.
        amount_or_null("gross_margin_low"),
    ]);
    schema(fields)
}

/// `revenue_by_key`: what each dimension's keys earn on each day, known or allocated; the marts' revenue half.
pub fn revenue_by_key() -> SchemaRef {
    schema(vec![
        day("date"),
        // customer, feature, model...
        required("dimension"),
        required("key"),
        required("currency"),
        amount("revenue"),
        amount("revenue_allocated"),
        required("allocation_method"),
    ])
}

/// `cost_by_key`: what bills, and other costs that are no calls, cost each dimension's keys on each day.
pub fn cost_by_key() -> SchemaRef {
    schema(vec![
        day("date"),
        // customer, feature, model...
        required("dimension"),
        required("key"),
        required("currency"),
        // model, other_cogs, variable, not_cogs.
        required("cost_class"),
        // The bill's id, or what kind of cost it is.
        required("source"),
        amount("cost"),
        // The part of `cost` that is allocated to the key, not known of it.
        amount("cost_allocated"),
        required("allocation_method"),
    ])
}

/// `pnl_daily`: each day's profit and loss with its last 7 and 28 days beside those before.
pub fn pnl_daily() -> SchemaRef {
    let mut fields = vec![day("date"), required("currency"), amount("revenue"), amount("model_cost")];
    fields.extend([amount("model_margin"), percent("model_margin_pct"), amount("other_cogs")]);
    fields.extend([
        amount("gross_margin"),
        percent("gross_margin_pct"),
        amount_or_null("gross_margin_low"),
    ]);
    fields.extend([
        amount("variable_cost"),
        amount("contribution_margin"),
        percent("contribution_margin_pct"),
    ]);
    fields.push(amount("not_cogs_cost"));
    fields.extend(["calls", "input_tokens", "output_tokens", "unpriced_calls"].map(bigint));
    fields.push(text("cost_status"));
    fields.extend(["active_customers", "paying_customers"].map(bigint));
    // NULL where the report does not have that many days.
    for days in ["7d", "28d"] {
        for measure in ["revenue", "cogs", "gross_margin"] {
            fields.push(amount_or_null(&format!("{measure}_{days}")));
            fields.push(amount_or_null(&format!("{measure}_{days}_before")));
        }
    }
    // What came in on the day; NULL where no export says when anything was paid. Never part of a margin.
    fields.push(amount_or_null("cash_received"));
    schema(fields)
}

/// `data_quality`: the coverage of a report, one row per check, dated by the report's last day.
pub fn data_quality() -> SchemaRef {
    schema(vec![
        day("date"),
        day("from_date"),
        // calls_priced, revenue_matched...
        required("check"),
        // `calls`, `conversations`, `tasks`, or the currency of the amounts.
        required("unit"),
        amount("covered_amount"),
        amount("total_amount"),
        percent("covered_pct"),
    ])
}

/// `cash_daily`: what came in on each day, where exports say when they were paid; read by `pnl_daily`, no table of its own.
pub fn cash_daily() -> SchemaRef {
    schema(vec![day("date"), required("currency"), amount("cash_received")])
}

/// `subscribers`: seats paid for and trials within a report's days; read by marts, no table of its own.
pub fn subscribers() -> SchemaRef {
    schema(vec![
        required("customer_id"),
        text("plan"),
        required("currency"),
        bigint("seat_days"),
        amount("seat_revenue"),
        Field::new("on_trial", DataType::Boolean, false),
    ])
}

/// `cash_and_accrual`: what each customer was billed, earned us and paid, before, in and after the report's days, in the lines'
/// own currency: `billed = earned_before + earned + earned_after + never_earned = received_before + received + received_after +
/// not_received`, to the last digit.
pub fn cash_and_accrual() -> SchemaRef {
    let mut fields = vec![day("date"), day("from_date"), required("customer_id"), required("currency")];
    fields.extend(
        [
            // All lines but the use of prepaid credits.
            "billed_amount",
            "earned_before_amount",
            "earned_amount",
            "earned_after_amount",
            // Prepaid credits without an end that nobody used, and minimums that use covers.
            "never_earned_amount",
            "received_before_amount",
            "received_amount",
            "received_after_amount",
            // Nobody says when it was paid: not paid, or the export does not tell.
            "not_received_amount",
            // At the end of the report's days: paid and not earned, earned and not paid.
            "deferred_amount",
            "receivable_amount",
        ]
        .map(amount),
    );
    schema(fields)
}

/// `seat_economics`: what a seat earns and costs on a day, paid for and used.
pub fn seat_economics() -> SchemaRef {
    let mut fields = vec![
        day("date"),
        day("from_date"),
        required("customer_id"),
        text("plan"),
        required("currency"),
    ];
    fields.extend([bigint("seat_days"), bigint("active_users"), bigint("active_seat_days")]);
    fields.push(percent("active_pct"));
    fields.extend([amount("revenue"), amount("cost")]);
    fields.extend(
        [
            "revenue_per_seat_day",
            "revenue_per_active_seat_day",
            "cost_per_seat_day",
            "cost_per_active_seat_day",
        ]
        .map(amount_or_null),
    );
    schema(fields)
}

/// `customer_segments`: who pays, who tries, who is free, and what we use ourselves.
pub fn customer_segments() -> SchemaRef {
    let mut fields = vec![day("date"), day("from_date"), required("segment"), required("currency")];
    fields.extend([bigint("customers"), bigint("calls"), bigint("unpriced_calls")]);
    fields.extend(["revenue", "model_cost", "other_cogs", "gross_margin"].map(amount));
    fields.push(percent("gross_margin_pct"));
    fields.extend([amount("variable_cost"), amount("not_cogs_cost")]);
    schema(fields)
}

/// `unmatched_customers`: the largest on either side of the customer join that have nothing on the other.
pub fn unmatched_customers() -> SchemaRef {
    schema(vec![
        day("date"),
        day("from_date"),
        // revenue_without_calls, cost_without_revenue.
        required("side"),
        // 1 is the largest of its side and currency.
        bigint("place"),
        required("customer_id"),
        required("currency"),
        // Revenue, or cost of goods sold as far as known.
        amount("amount"),
        bigint("calls"),
        bigint("unpriced_calls"),
    ])
}

/// `unit_costs`: how the cost of goods sold is spread over customers, users, conversations and tasks, over the days of a
/// report. Percentiles are by nearest rank, over units of which some cost is known.
pub fn unit_costs() -> SchemaRef {
    let mut fields = vec![day("date"), day("from_date"), required("unit"), required("currency")];
    fields.extend([bigint("units"), bigint("units_with_unpriced_calls")]);
    fields.extend(["mean_cost", "p50_cost", "p90_cost", "p95_cost", "p99_cost"].map(amount));
    fields.extend(["top_1_pct", "top_5_pct", "top_10_pct"].map(|name| Field::new(name, DataType::Decimal128(38, 6), false)));
    fields.extend([bigint("below_zero"), amount("lost_amount")]);
    fields.extend([
        amount_or_null("total_cost"),
        amount_or_null("total_revenue"),
        amount_or_null("mean_revenue"),
    ]);
    fields.push(percent("target_margin_pct"));
    // Units below the target margin, and what they are short of it together.
    fields.extend([bigint("below_target"), amount_or_null("short_of_target_amount")]);
    // What a unit must earn to break even, to reach the target margin on average, and to reach it at the 90th percentile.
    fields.extend(["break_even_price", "price_at_target", "price_at_target_p90"].map(amount_or_null));
    schema(fields)
}

/// `plan_economics`: what a plan earns and costs per customer, where it breaks even, who is under water.
pub fn plan_economics() -> SchemaRef {
    let mut fields = vec![day("date"), day("from_date"), text("plan"), required("currency")];
    fields.extend(["customers", "customers_with_usage", "calls"].map(bigint));
    fields.extend(["revenue", "cogs", "gross_margin"].map(amount));
    fields.push(percent("gross_margin_pct"));
    fields.extend(
        [
            "revenue_per_customer",
            "cost_per_customer",
            "p50_cost",
            "p90_cost",
            "p95_cost",
            "p99_cost",
            "cost_per_call",
        ]
        .map(amount_or_null),
    );
    // Calls that a customer can make before its plan loses money, and what the average one makes.
    fields.extend(["break_even_calls", "calls_per_customer"].map(amount_or_null));
    fields.extend([percent("target_margin_pct"), amount_or_null("price_at_target")]);
    fields.extend([bigint("under_water"), percent("under_water_pct"), amount("lost_amount")]);
    schema(fields)
}

/// `outcome_costs`: what a resolved conversation and a successful task cost and earn, by feature and model.
pub fn outcome_costs() -> SchemaRef {
    let mut fields = vec![day("date"), day("from_date")];
    // `conversation` or `task`.
    fields.extend([required("unit"), text("feature"), text("model"), required("currency")]);
    fields.extend(["units", "successes", "failures", "abandoned", "unknown"].map(bigint));
    // Successes in percent of units with a known outcome.
    fields.extend(["success_pct", "success_low_pct", "success_high_pct"].map(percent));
    fields.extend(
        [
            "revenue",
            "cost",
            "cost_of_successes",
            "cost_of_failures",
            "cost_of_abandoned",
            "cost_of_unknown",
        ]
        .map(amount),
    );
    // All cost of units with a known outcome for each success; the high one adds those without.
    fields.extend(
        [
            "cost_per_success",
            "cost_per_success_high",
            "revenue_per_success",
            "margin_per_success",
        ]
        .map(amount_or_null),
    );
    fields.push(bigint("unpriced_calls"));
    schema(fields)
}

/// `tradeoffs`: quality, speed and cost of each model in each feature.
pub fn tradeoffs() -> SchemaRef {
    let mut fields = vec![day("date"), day("from_date")];
    fields.extend([
        text("feature"),
        text("model"),
        required("currency"),
        bigint("calls"),
        amount("model_cost"),
    ]);
    fields.extend([amount_or_null("cost_per_call"), amount_or_null("cost_per_million_tokens")]);
    fields.extend(["input_tokens", "output_tokens", "cache_read_tokens"].map(bigint));
    fields.push(percent("cache_hit_pct"));
    // Whole milliseconds, by nearest rank, over the calls that report them.
    fields.extend(["calls_with_duration", "p50_duration_ms", "p95_duration_ms"].map(bigint));
    fields.extend(
        [
            "calls_with_first_token",
            "p50_time_to_first_token_ms",
            "p95_time_to_first_token_ms",
        ]
        .map(bigint),
    );
    fields.extend([bigint("error_calls"), percent("error_pct"), amount("error_cost")]);
    fields.extend([bigint("retried_calls"), amount("retried_cost"), bigint("unpriced_calls")]);
    schema(fields)
}

/// `outliers`: the calls and conversations that cost far more than their like, with the trace to open.
pub fn outliers() -> SchemaRef {
    let mut fields = vec![day("date")];
    // `call` or `conversation`.
    fields.extend([required("kind"), text("trace_id"), text("span_id"), text("conversation_id")]);
    fields.extend(["customer_id", "feature", "model"].map(text));
    fields.extend([
        required("currency"),
        bigint("calls"),
        amount("cost"),
        amount_or_null("typical_cost"),
    ]);
    // How many times its typical cost, rounded to 6 places.
    fields.push(Field::new("times_typical", DataType::Decimal128(38, 6), true));
    fields.extend([bigint("input_tokens"), bigint("output_tokens"), text("reason")]);
    schema(fields)
}

/// `estimates`: ratios with their intervals and margins with their bounds.
pub fn estimates() -> SchemaRef {
    schema(vec![
        day("date"),
        day("from_date"),
        // gross_margin_pct, cost_per_call...
        required("metric"),
        // The dimension that `segment` is a key of; `all` where there is no segment.
        required("dimension"),
        text("segment"),
        required("currency"),
        // In the metric's unit: percent, or the currency.
        amount_or_null("estimate_amount"),
        amount_or_null("low_amount"),
        amount_or_null("high_amount"),
        // Customers behind it: the unit of sampling.
        bigint("customers"),
        required("method"),
        text("note"),
    ])
}

/// `outcomes`: what became of a conversation or a task, the last word about each.
pub fn outcomes() -> SchemaRef {
    let mut fields = vec![day("date")];
    // `conversation` or `task`.
    fields.extend([required("unit"), required("key")]);
    // success, failure, abandoned, unknown.
    fields.extend([required("outcome"), text("label")]);
    fields.push(Field::new("at", super::timestamp(), true));
    // File and line, or the attribute that says it.
    fields.extend([required("source"), bigint("source_row")]);
    schema(fields)
}

/// `bill_lines`: what the bills of a run say, added up by bill, day and service.
pub fn bill_lines() -> SchemaRef {
    schema(vec![
        day("date"),
        required("bill"),
        text("source_file"),
        required("cost_class"),
        text("service"),
        // Known of the line, where the bill says it.
        text("customer_id"),
        text("feature"),
        required("currency"),
        // In the bill's own currency.
        amount("amount"),
        required("report_currency"),
        // NULL where no exchange rate is known.
        amount_or_null("report_amount"),
        // How it is spread: tokens, calls, cost, revenue, seconds, evenly; or `direct`.
        required("spread"),
    ])
}

/// `restated_days`: what a report says about days that an earlier report had published otherwise.
pub fn restated_days() -> SchemaRef {
    schema(vec![
        day("date"),
        required("run_id"),
        required("currency"),
        // revenue, model_cost, other_cogs, variable_cost, not_cogs_cost, calls.
        required("measure"),
        amount("before_amount"),
        amount("after_amount"),
        amount("moved_amount"),
    ])
}
