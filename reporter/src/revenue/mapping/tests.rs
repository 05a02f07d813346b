//! Each preset on a file as its system writes it, and the mapping language on files that no preset knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::revenue::policy::{Policies, StoreFees};
use crate::revenue::{Loaded, RevenueInputs, RevenueLine, load};

/// Files by name; those named in `joins` are second files.
struct Case<'a> {
    files: &'a [(&'a str, &'a str)],
    joins: &'a [(&'a str, &'a str)],
    mapping: Option<&'a str>,
    policies: Policies,
}

fn case<'a>(files: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case {
        files,
        joins: &[],
        mapping: None,
        policies: Policies::default(),
    }
}

impl Case<'_> {
    fn load(&self) -> Result<Loaded, String> {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let inputs = RevenueInputs {
            files: self.files.iter().map(|(name, text)| write(name, text)).collect(),
            joins: self
                .joins
                .iter()
                .map(|(key, text)| ((*key).to_owned(), write(&format!("{key}.csv"), text)))
                .collect(),
            mappings: self.mapping.iter().map(|text| write("mapping.toml", text)).collect(),
            policies: self.policies.clone(),
        };
        load(&inputs).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(&self, expected: &[&str]) -> Loaded {
        let loaded = self.load().unwrap();
        let of = |line: &RevenueLine| {
            format!(
                "{} {} {} {} {} {}+{}",
                line.line_id,
                line.ids().next().unwrap_or("-"),
                line.kind.as_deref().unwrap_or("-"),
                line.amount,
                line.currency,
                &line.period.start.to_rfc3339()[..10],
                line.period.days()
            )
        };
        let mut shown: Vec<String> = loaded.lines.iter().map(of).collect();
        shown.extend(loaded.costs.iter().map(|line| format!("cost {}", of(line))));
        shown.extend(
            loaded
                .report
                .excluded()
                .iter()
                .map(|(reason, count)| format!("excluded {reason} {count}")),
        );
        assert_eq!(shown, expected);
        loaded
    }
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

#[test]
fn every_preset_is_valid_and_named_as_its_file() {
    for (name, title) in crate::revenue::presets::names() {
        let text = crate::revenue::presets::text(name).unwrap_or_else(|| panic!("{name} is not the name of its file"));
        assert!(!title.is_empty() && text.starts_with('#'), "{name}");
    }
}

#[test]
fn stripe_balance_change_tells_payments_refunds_disputes_and_fees() {
    let text = "\u{feff}\"balance_transaction_id\",\"created_utc\",\"created\",\"available_on_utc\",\"currency\",\"gross\",\"fee\",\"net\",\"reporting_category\",\"source_id\",\"description\",\"customer_id\",\"charge_id\",\"invoice_id\",\"payment_metadata[external_id]\"\r\n\
        \"txn_1\",\"2026-01-05 10:00:00\",\"2026-01-05 02:00:00\",\"2026-01-07 00:00:00\",\"usd\",\"100.00\",\"3.20\",\"96.80\",\"charge\",\"ch_1\",\"Credits, big\",\"cus_1\",\"ch_1\",\"\",\"acme\"\r\n\
        \"txn_2\",\"2026-01-06 10:00:00\",\"2026-01-06 02:00:00\",\"2026-01-07 00:00:00\",\"usd\",\"-30.00\",\"0.00\",\"-30.00\",\"refund\",\"re_1\",\"\",\"cus_1\",\"ch_1\",\"\",\"acme\"\r\n\
        \"txn_3\",\"2026-01-08 10:00:00\",\"2026-01-08 02:00:00\",\"2026-01-09 00:00:00\",\"usd\",\"-20.00\",\"-0.50\",\"-19.50\",\"refund\",\"re_2\",\"\",\"cus_1\",\"ch_1\",\"\",\"acme\"\r\n\
        \"txn_4\",\"2026-01-09 10:00:00\",\"2026-01-09 02:00:00\",\"2026-01-09 00:00:00\",\"jpy\",\"5000\",\"180\",\"4820\",\"charge\",\"ch_2\",\"\",\"cus_2\",\"ch_2\",\"\",\"\"\r\n\
        \"txn_5\",\"2026-01-10 10:00:00\",\"2026-01-10 02:00:00\",\"2026-01-10 00:00:00\",\"usd\",\"-50.00\",\"15.00\",\"-65.00\",\"dispute\",\"dp_1\",\"\",\"cus_1\",\"ch_1\",\"\",\"acme\"\r\n\
        \"txn_6\",\"2026-01-20 10:00:00\",\"2026-01-20 02:00:00\",\"2026-01-20 00:00:00\",\"usd\",\"50.00\",\"-15.00\",\"65.00\",\"dispute_reversal\",\"dp_1\",\"\",\"cus_1\",\"ch_1\",\"\",\"acme\"\r\n\
        \"txn_7\",\"2026-01-21 10:00:00\",\"2026-01-21 02:00:00\",\"2026-01-21 00:00:00\",\"usd\",\"-500.00\",\"0\",\"-500.00\",\"payout\",\"po_1\",\"\",\"\",\"\",\"\",\"\"\r\n";
    case(&[("balance_change_from_activity.itemized.3.csv", text)]).check(&[
        "txn_1 acme one_off 100 USD 2026-01-05+1",
        "txn_2 acme refund -30 USD 2026-01-06+1",
        "txn_3 acme refund -20 USD 2026-01-08+1",
        "txn_4 cus_2 one_off 5000 JPY 2026-01-09+1",
        "txn_5 acme chargeback -50 USD 2026-01-10+1",
        "txn_6 acme dispute_reversal 50 USD 2026-01-20+1",
        "cost txn_1:fee acme payment_fee 3.2 USD 2026-01-05+1",
        "cost txn_3:fee acme payment_fee -0.5 USD 2026-01-08+1",
        "cost txn_4:fee cus_2 payment_fee 180 JPY 2026-01-09+1",
        "cost txn_5:fee acme dispute_fee 15 USD 2026-01-10+1",
        "cost txn_6:fee acme dispute_fee -15 USD 2026-01-20+1",
        "excluded not_revenue 1",
    ]);
}

#[test]
fn stripe_look_alikes_are_refused_with_the_reason() {
    for (text, part) in [
        (
            "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC)\n",
            "names no customer and mixes payouts with payments",
        ),
        (
            "id,Customer ID,Customer Name,Status,Amount,Interval,Current Period Start (UTC),Current Period End (UTC)\n",
            "snapshot of plans",
        ),
    ] {
        let error = case(&[("export.csv", text)]).load().unwrap_err();
        assert!(
            error.starts_with("export.csv:1: looks like the Stripe") && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn stripe_payments_are_read_in_every_generation_of_headers() {
    for header in [
        "id,Created (UTC),Amount,Amount Refunded,Currency,Captured,Converted Amount,Converted Amount Refunded,Converted Currency,Fee,Tax,Status,Customer ID,Customer Email,Mode",
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Converted Amount,Converted Amount Refunded,Converted Currency,Fee,Taxes On Fee,Status,Customer ID,Customer Email,Mode",
    ] {
        let text = format!(
            "{header}\n\
             ch_1,2026-01-05 10:00,\"100,50\",\"20,00\",usd,true,\"92,00\",\"18,40\",eur,\"3,00\",0,Paid,cus_1,a@example.com,Live\n\
             ch_2,2026-01-05 10:00,50.00,0.00,usd,true,46.00,0,eur,1.00,0,Failed,cus_1,a@example.com,Live\n\
             ch_3,2026-01-05 10:00,500,0,jpy,true,3.00,0,eur,0.10,0,Paid,cus_2,b@example.com,Live\n\
             ch_4,2026-01-05 10:00,9.00,0.00,usd,true,8.00,0,eur,0.10,0,Paid,cus_2,b@example.com,Test\n"
        );
        case(&[("payments.csv", &text)]).check(&[
            "ch_1 cus_1 one_off 100.5 USD 2026-01-05+1",
            "ch_1:refund cus_1 refund -20 USD 2026-01-05+1",
            "ch_3 cus_2 one_off 500 JPY 2026-01-05+1",
            "cost ch_1:fee cus_1 payment_fee 3 EUR 2026-01-05+1",
            "cost ch_3:fee cus_2 payment_fee 0.1 EUR 2026-01-05+1",
            "excluded failed 1",
            "excluded test_mode 1",
        ]);
    }
    // Without the customer's id, with disputes and the seller's own id.
    let text = "id,Created (UTC),Amount,Amount Refunded,Currency,Status,Disputed Amount,Dispute Status,Dispute Date (UTC),userID (metadata)\n\
        ch_1,2026-01-05 10:00,100.00,0.00,usd,Paid,100.00,won,2026-02-01 00:00,u1\n\
        ch_2,2026-01-05 10:00,40.00,0.00,usd,Paid,40.00,lost,2026-02-02 00:00,u2\n";
    case(&[("payments.csv", text)]).check(&[
        "ch_1 u1 one_off 100 USD 2026-01-05+1",
        "ch_1:dispute u1 chargeback -100 USD 2026-02-01+1",
        "ch_1:dispute_won u1 dispute_reversal 100 USD 2026-02-01+1",
        "ch_2 u2 one_off 40 USD 2026-01-05+1",
        "ch_2:dispute u2 chargeback -40 USD 2026-02-02+1",
    ]);
}

#[test]
fn checkout_and_invoice_of_one_subscription_count_once() {
    let lines = "id,invoice_id,amount,currency,period_start,period_end,proration,subscription_id,customer_id\n\
        il_1,in_1,2000,usd,2026-01-01,2026-02-01,false,sub_1,cus_1\n";
    let payments = "id,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Invoice ID,Fee\n\
        ch_1,2026-01-01 10:00,20.00,5.00,usd,Paid,cus_1,in_1,0.90\n\
        ch_2,2026-01-02 10:00,7.00,0.00,usd,Paid,cus_1,,0.50\n";
    case(&[("payments.csv", payments), ("lines.csv", lines)]).check(&[
        "ch_1:refund cus_1 refund -5 USD 2026-01-01+1",
        "ch_2 cus_1 one_off 7 USD 2026-01-02+1",
        "il_1 cus_1 subscription 20 USD 2026-01-01+31",
        "cost ch_1:fee cus_1 payment_fee 0.9 USD 2026-01-01+1",
        "cost ch_2:fee cus_1 payment_fee 0.5 USD 2026-01-02+1",
        "excluded counted_by_finer_export 1",
    ]);
    let blind = "id,Created (UTC),Amount,Amount Refunded,Currency,Status\nch_1,2026-01-01 10:00,20.00,5.00,usd,Paid\n";
    let error = case(&[("payments.csv", blind), ("lines.csv", lines)]).load().unwrap_err();
    assert!(
        error.starts_with("payments.csv:1: has no column that says which invoice"),
        "{error}"
    );
}

#[test]
fn stripe_invoices_of_the_dashboard_use_the_period_of_their_lines() {
    let text = "id,Customer,Subscription,Status,Currency,Amount Due,Amount Paid,Subtotal,Tax,Total,Date (UTC),Paid At (UTC),Marked Uncollectible At (UTC),Period Start (UTC),Period End (UTC),Minimum Line Item Period Start (UTC),Maximum Line Item Period End (UTC),external_id (metadata)\n\
        in_1,cus_1,sub_1,paid,usd,119.00,119.00,100.00,19.00,119.00,2026-01-01 00:00,2026-01-02 00:00,,2025-12-01 00:00,2026-01-01 00:00,2026-01-01 00:00,2026-02-01 00:00,acme\n\
        in_2,cus_2,,void,usd,10.00,0,10.00,0,10.00,2026-01-01 00:00,,,,,,,\n\
        in_3,cus_2,,draft,usd,10.00,0,10.00,0,10.00,2026-01-01 00:00,,,,,,,\n\
        in_4,cus_2,,uncollectible,jpy,500,0,500,0,500,2026-01-01 00:00,,2026-03-05 00:00,,,,,\n\
        in_5,cus_2,,paid,usd,-5.00,0,-5.00,0,-5.00,2026-01-03 00:00,,,,,,,\n";
    case(&[("invoices.csv", text)]).check(&[
        "in_1 acme subscription 100 USD 2026-01-01+31",
        "in_4 cus_2 one_off 500 JPY 2026-01-01+1",
        "in_5 cus_2 refund -5 USD 2026-01-03+1",
        "cost in_4:bad_debt cus_2 bad_debt 500 JPY 2026-03-05+1",
        "excluded draft 1",
        "excluded void 1",
    ]);
}

#[test]
fn stripe_invoices_of_the_api_bring_their_lines() {
    let invoice = |id: &str, status: &str, currency: &str, amount: &str| {
        format!(
            "{{\"id\":\"{id}\",\"object\":\"invoice\",\"customer\":\"cus_1\",\"status\":\"{status}\",\"currency\":\"{currency}\",\
             \"amount_due\":{amount},\"livemode\":true,\"created\":1767225600,\"metadata\":{{\"external_id\":\"acme\"}},\
             \"status_transitions\":{{\"paid_at\":1767225700,\"finalized_at\":1767225600}},\
             \"lines\":{{\"has_more\":false,\"data\":[{{\"id\":\"il_{id}\",\"amount\":{amount},\"currency\":\"{currency}\",\
             \"period\":{{\"start\":1767225600,\"end\":1769904000}},\"subscription\":null,\"discount_amounts\":[{{\"amount\":100}}],\
             \"taxes\":[{{\"amount\":50,\"tax_behavior\":\"inclusive\"}},{{\"amount\":70,\"tax_behavior\":\"exclusive\"}}],\
             \"parent\":{{\"subscription_item_details\":{{\"subscription\":\"sub_1\",\"proration\":true}}}}}}]}}}}"
        )
    };
    let text = format!(
        "{{\"object\":\"list\",\"has_more\":false,\"data\":[\n{},\n{},\n{}]}}",
        invoice("in_1", "paid", "usd", "2150"),
        invoice("in_2", "open", "jpy", "5150"),
        invoice("in_3", "void", "usd", "999")
    );
    let loaded = case(&[("invoices.json", &text)]).check(&[
        "il_in_1 acme subscription 20 USD 2026-01-01+31",
        "il_in_2 acme subscription 5000 JPY 2026-01-01+31",
        "excluded void 1",
    ]);
    assert_eq!(loaded.lines[1].source_row, 3);
}

#[test]
fn stripes_own_sample_of_a_line_item_is_read() {
    let text = fs::read_to_string(fixture("stripe_openapi/line_item.json")).unwrap();
    case(&[("line_item.json", &text)]).check(&["excluded test_mode 1"]);
    case(&[("line_item.json", &text.replace("\"livemode\": false", "\"livemode\": true"))])
        .check(&["il_tmp_1Pgc6sB7WZ01zgkWrG16hkdl - subscription 10 USD 2024-07-26+1"]);
}

#[test]
fn stripe_credit_notes_lower_revenue_of_their_day() {
    let text = fs::read_to_string(fixture("stripe_fivetran_seeds/credit_note_data.csv")).unwrap();
    case(&[("credit_notes.csv", &text)]).check(&["cn_89hUNfs - credit_note -0.5 USD 2021-06-30+1", "excluded test_mode 1"]);
}

#[test]
fn recurly_line_items_find_their_code_and_keep_their_signs() {
    let lines = fs::read_to_string(fixture("recurly_fivetran_seeds/line_item_history_data.csv")).unwrap();
    let accounts = fs::read_to_string(fixture("recurly_fivetran_seeds/account_history_data.csv")).unwrap();
    let loaded = Case {
        joins: &[("accounts", &accounts)],
        ..case(&[("line_item_history_data.csv", &lines)])
    }
    .check(&[
        "5cbe1e1d9ce99d61df588e82b1615959 acbd18db4cc2f85cedef654fccc4a4d8 refund -5 USD 2015-02-11+1",
        "144900b1af5e3a5b0b2be390ab51af63 acbd18db4cc2f85cedef654fccc4a4d8 one_off 10 USD 2015-02-11+1",
        "2c4bc47618cccbdd5523386cf71ec555 49a30d03c669a09f2c01c3655032af3e subscription 10.9 USD 2019-03-26+1",
        "9cd0cc5ae4827f0637a15b926e43f8b3 49a30d03c669a09f2c01c3655032af3e subscription 60.9 USD 2019-03-26+1",
        "181504d22fc20b389f77e625197d3f38 49a30d03c669a09f2c01c3655032af3e subscription 89.1 USD 2019-03-26+1",
    ]);
    assert_eq!(loaded.report.files[0].source, "recurly_line_items");
    // The dashboard's CSV names the code itself, and a discount and tax stand beside the subtotal.
    let text = "id,account_code,invoice_number,type,state,origin,plan_code,currency,amount,subtotal,discount,tax,start_date,end_date\n\
        1,acme,1000,charge,invoiced,plan,pro,EUR,107.1,100.00,10.00,17.1,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z\n\
        2,acme,1000,credit,invoiced,write_off,pro,EUR,-90.00,-90.00,0,0,2026-03-01T00:00:00Z,\n\
        3,acme,,charge,pending,plan,pro,EUR,5,5,0,0,2026-01-01T00:00:00Z,\n";
    case(&[("line_items.csv", text)]).check(&[
        "1 acme subscription 90 EUR 2026-01-01+31",
        "cost 2:bad_debt acme bad_debt 90 EUR 2026-03-01+1",
        "excluded draft 1",
    ]);
}

#[test]
fn chargebee_counts_in_cents_or_decimals_and_finds_its_currency() {
    let lines = "id,subscription_id,invoice_id,customer_id,amount,amount_in_decimal,date_from,date_to,entity_type,entity_id,discount_amount,tax_amount,is_taxed,quantity,pricing_model\n\
        li_1,sub_1,inv_1,acme,10000,,1767225600,1769904000,plan_item_price,pro-usd,1000,900,true,1,flat_fee\n\
        li_2,sub_1,inv_2,acme,5000,,1767225600,1769904000,plan_item_price,pro-jpy,0,0,false,1,flat_fee\n\
        li_3,,inv_1,acme,1234,12.345,1767225600,1767225600,adhoc,,0,0,false,1,flat_fee\n\
        li_4,,inv_3,acme,1234,,1767225600,1767225600,adhoc,,0,0,false,1,flat_fee\n";
    let invoices = "id,customer_id,status,currency_code,price_type,date\n\
        inv_1,acme,paid,USD,tax_inclusive,1767225600\ninv_2,acme,payment_due,JPY,tax_exclusive,1767225600\ninv_3,acme,voided,USD,tax_exclusive,1767225600\n";
    Case {
        joins: &[("invoices", invoices)],
        ..case(&[("invoice_line_items.csv", lines)])
    }
    .check(&[
        "inv_1:li_1 acme subscription 81 USD 2026-01-01+31",
        "inv_2:li_2 acme subscription 5000 JPY 2026-01-01+31",
        "inv_1:li_3 acme one_off 12.345 USD 2026-01-01+1",
        "excluded void 1",
    ]);
    let notes = "id,credit_note_id,customer_id,amount,date_from,date_to,entity_type,currency_code,discount_amount\n\
        cli_1,cn_1,acme,3000,1767225600,1769904000,plan_item_price,USD,500\n";
    let loaded = case(&[("credit_note_line_items.csv", notes)]).check(&["cn_1:cli_1 acme credit_note -25 USD 2026-01-01+1"]);
    assert_eq!(loaded.lines[0].original_period.unwrap().days(), 31);
}

#[test]
fn lago_fees_find_their_customer_in_the_second_file_and_share_its_coupon() {
    let fees = "invoice_lago_id,fee_lago_id,fee_item_type,fee_item_code,fee_item_grouped_by,subscription_external_id,subscription_plan_code,fee_from_date_utc,fee_to_date_utc,fee_amount_currency,fee_units,fee_precise_unit_amount,fee_taxes_amount_cents,fee_total_amount_cents\n\
        i1,f1,subscription,basic,,sub_1,basic,2026-01-01T00:00:00+00:00,2026-01-31T23:59:59+00:00,EUR,1,100.0,2000,12000\n\
        i1,f2,charge,tokens,,sub_1,basic,2026-01-01T00:00:00+00:00,2026-01-31T23:59:59+00:00,EUR,10,5.0,1000,6000\n\
        i2,f3,charge,tokens,,sub_1,basic,2026-01-01T00:00:00+00:00,2026-01-31T23:59:59+00:00,EUR,10,5.0,0,6000\n";
    let invoices = "lago_id,issuing_date,customer_external_id,invoice_number,invoice_type,payment_status,status,currency,fees_amount_cents,coupons_amount_cents,taxes_amount_cents,credit_notes_amount_cents,prepaid_credit_amount_cents,total_amount_cents,payment_dispute_lost_at\n\
        i1,2026-02-01,acme,INV-1,subscription,succeeded,finalized,EUR,15000,1000,3000,0,5000,12000,\n\
        i2,2026-02-01,acme,INV-2,subscription,pending,draft,EUR,6000,0,0,0,0,6000,\n";
    let loaded = Case {
        joins: &[("invoices", invoices)],
        ..case(&[("invoice_fees.csv", fees)])
    }
    .check(&[
        "f1 acme subscription 93.333333333333 EUR 2026-01-01+31",
        "f2 acme usage 46.666666666667 EUR 2026-01-01+31",
        "excluded draft 1",
    ]);
    assert_eq!(
        loaded
            .lines
            .iter()
            .map(|line| line.amount)
            .sum::<crate::revenue::Amount>()
            .to_string(),
        "140"
    );
    let error = case(&[("invoice_fees.csv", fees)]).load().unwrap_err();
    assert_eq!(
        error,
        "invoice_fees.csv:1: names its invoices by id only: pass them by --revenue-join invoices=FILE"
    );
    // Alone, the invoices say the same without a period: prepaid credits lower what is due, not what is earned.
    case(&[("invoices.csv", invoices)]).check(&["i1 acme subscription 140 EUR 2026-02-01+1", "excluded draft 1"]);
}

#[test]
fn paddle_is_the_merchant_of_record() {
    let text = "{\"data\":[{\"id\":\"txn_1\",\"customer_id\":\"ctm_1\",\"currency_code\":\"JPY\",\"status\":\"completed\",\"billed_at\":\"2026-01-01T00:00:00Z\",\
        \"subscription_id\":\"sub_1\",\"custom_data\":{\"customer_id\":\"acme\"},\"billing_period\":{\"starts_at\":\"2026-01-01T00:00:00Z\",\"ends_at\":\"2026-02-01T00:00:00Z\"},\
        \"details\":{\"totals\":{\"subtotal\":\"1000\",\"tax\":\"100\",\"total\":\"1100\",\"fee\":\"55\",\"earnings\":\"945\"}}}],\"meta\":{}}";
    case(&[("transactions.json", text)]).check(&[
        "txn_1 acme subscription 1000 JPY 2026-01-01+31",
        "txn_1:fee acme store_fee -55 JPY 2026-01-01+31",
    ]);
    let principal = Policies {
        store_fees: StoreFees::Principal,
        ..Policies::default()
    };
    Case {
        policies: principal,
        ..case(&[("transactions.json", text)])
    }
    .check(&[
        "txn_1 acme subscription 1000 JPY 2026-01-01+31",
        "cost txn_1:fee acme store_fee 55 JPY 2026-01-01+31",
    ]);
}

const REVENUECAT: &str = "rc_original_app_user_id,rc_last_seen_app_user_id_alias,product_identifier,start_time,end_time,effective_end_time,store,is_sandbox,is_trial_period,price_in_usd,purchase_price_in_usd,takehome_percentage,tax_percentage,commission_percentage,store_transaction_id,renewal_number,refunded_at,custom_subscriber_attributes,updated_at";

#[test]
fn revenuecat_rows_change_and_the_newest_counts() {
    let text = format!(
        "{REVENUECAT}\n\
         u1,a1,pro,2026-01-01 00:00:00,2026-02-01 00:00:00,,app_store,false,false,10.0,10.0,0.7,0.0,0.3,t1,1,,\"{{\"\"customer_id\"\":{{\"\"value\"\":\"\"acme\"\"}}}}\",2026-01-01 00:00:01\n\
         u1,a1,pro,2026-01-01 00:00:00,2026-02-01 00:00:00,,app_store,false,false,0.0,10.0,0.7,0.0,0.3,t1,1,2026-01-10 00:00:00,\"{{\"\"customer_id\"\":{{\"\"value\"\":\"\"acme\"\"}}}}\",2026-01-10 00:00:01\n\
         u2,NULL,pro,2026-01-05 00:00:00,2026-01-04 00:00:00,,play_store,f,f,9.990000000000001,9.990000000000001,1,0,0,t2,1,NULL,{{}},2026-01-05 00:00:01\n\
         u3,,pro,2026-01-05 00:00:00,2026-01-12 00:00:00,,app_store,false,true,0,0,0.7,0,0.3,t3,1,,{{}},2026-01-05 00:00:01\n\
         u4,,pro,2026-01-05 00:00:00,2026-01-12 00:00:00,,app_store,t,f,5,5,0.7,0,0.3,t4,1,,{{}},2026-01-05 00:00:01\n"
    );
    let loaded = case(&[("transactions.csv", &text)]).check(&[
        "t1:1 acme subscription 10 USD 2026-01-01+31",
        "t1:1:store_fee acme store_fee -3 USD 2026-01-01+31",
        "t1:1:refund acme refund -10 USD 2026-01-10+1",
        "t1:1:store_fee_back acme store_fee 3 USD 2026-01-10+1",
        "t2:1 u2 subscription 9.99 USD 2026-01-05+1",
        "t3:1 u3 trial 0 USD 2026-01-05+7",
        "excluded sandbox 1",
        "excluded superseded 1",
    ]);
    assert_eq!(
        loaded.lines[0].aliases.iter().map(|alias| &**alias).collect::<Vec<_>>(),
        ["a1"]
    );
    // Version 3 knows the price of now only.
    let v3 = "rc_original_app_user_id,product_identifier,start_time,end_time,store,is_sandbox,is_trial_period,price,takehome_percentage,store_transaction_id,renewal_number,refunded_at,updated_at\n\
        u1,pro,2026-01-01 00:00:00,2026-02-01 00:00:00,app_store,f,f,10,0.85,t1,1,,2026-01-01 00:00:00\n";
    case(&[("v3.csv", v3)]).check(&[
        "t1:1 u1 subscription 10 USD 2026-01-01+31",
        "t1:1:store_fee u1 store_fee -1.5 USD 2026-01-01+31",
    ]);
}

#[test]
fn shopify_continuation_rows_are_part_of_their_order() {
    let text = "Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Refunded Amount,Id\n\
        #1001,a@example.com,partially_refunded,2026-01-01 23:00:00 -0500,fulfilled,USD,100.00,10.00,22.00,132.00,,0.00,2026-01-01 23:00:00 -0500,1,Big,60.00,BIG,13.20,1\n\
        #1001,a@example.com,,,,,,,,,,,,2,Small,20.00,SMALL,,\n\
        #1002,b@example.com,voided,,,USD,5.00,0,0,5.00,,0,2026-01-02 00:00:00 -0500,1,Small,5.00,SMALL,0.00,2\n\
        #1003,c@example.com,pending,,,USD,5.00,0,0,5.00,,0,2026-01-02 00:00:00 -0500,1,Small,5.00,SMALL,0.00,3\n";
    let loaded = case(&[("orders_export.csv", text)]).check(&[
        "#1001 - one_off 110 USD 2026-01-02+1",
        "#1001:refund - refund -11 USD 2026-01-02+1",
        "excluded continuation 1",
        "excluded unpaid 1",
        "excluded void 1",
    ]);
    assert_eq!(loaded.lines[0].email.as_deref(), Some("a@example.com"));
}

#[test]
fn lemon_squeezy_refunds_are_a_column() {
    let text = "identifier,order_number,customer_id,user_email,currency,currency_rate,subtotal,discount_total,tax,total,refunded_amount,status,refunded_at,tax_inclusive,created_at,test_mode\n\
        o1,1,c1,a@example.com,USD,1,10000,0,2000,12000,6000,partial_refund,2026-01-09T00:00:00.000000Z,false,2026-01-02T00:00:00.000000Z,false\n\
        o2,2,c2,b@example.com,USD,1,833,0,167,1000,0,paid,,true,2026-01-02T00:00:00.000000Z,false\n\
        o3,3,c2,b@example.com,USD,1,833,0,167,1000,0,failed,,true,2026-01-02T00:00:00.000000Z,false\n";
    case(&[("orders.csv", text)]).check(&[
        "o1 c1 one_off 100 USD 2026-01-02+1",
        "o1:refund c1 refund -50 USD 2026-01-09+1",
        "o2 c2 one_off 8.33 USD 2026-01-02+1",
        "excluded failed 1",
    ]);
}

#[test]
fn app_store_proceeds_are_per_unit_in_their_own_currency() {
    let text = "Provider\tProvider Country\tSKU\tDeveloper\tTitle\tVersion\tProduct Type Identifier\tUnits\tDeveloper Proceeds\tBegin Date\tEnd Date\tCustomer Currency\tCountry Code\tCurrency of Proceeds\tApple Identifier\tCustomer Price\tPromo Code\tParent Identifier\tSubscription\tPeriod\n\
        APPLE\tUS\tpro\tDev\tPro, monthly\t\tIAY\t3\t6.99\t01/05/2026\t01/05/2026\tUSD\tUS\tUSD\t123\t9.99\t\t\tRenewal\t1 Month\n\
        APPLE\tUS\tpro\tDev\tPro, monthly\t\tIAY\t-1\t700\t01/05/2026\t01/05/2026\tJPY\tJP\tJPY\t123\t1000\t\t\tRenewal\t1 Month\n\
        APPLE\tUS\tapp\tDev\tApp\t1.0\t1F\t50\t0\t01/05/2026\t01/05/2026\tUSD\tUS\tUSD\t122\t0\t\t\t\t\n";
    let loaded = case(&[("S_D_85000000_20260105.txt", text)]).load().unwrap();
    let shown: Vec<String> = loaded
        .lines
        .iter()
        .map(|line| {
            format!(
                "{} {} {} {}",
                line.kind.as_deref().unwrap(),
                line.amount,
                line.currency,
                line.period.days()
            )
        })
        .collect();
    assert_eq!(shown, ["subscription 20.97 USD 1", "refund -700 JPY 1"]);
    assert_eq!(loaded.report.lines_without_customer, 2);
}

#[test]
fn chartmoguls_shape_is_read() {
    let text = "DATA_SOURCE_CUSTOMER_EXTERNAL_ID,EXTERNAL_ID,TYPE,AMOUNT_IN_CENTS,QUANTITY,DISCOUNT_AMOUNT_IN_CENTS,TAX_AMOUNT_IN_CENTS,SERVICE_PERIOD_START,SERVICE_PERIOD_END,TRANSACTION_FEES_IN_CENTS,PRORATED,CURRENCY,INVOICE_DATE\n\
        acme,li_1,subscription,11900,1,0,1900,2026-01-01 00:00:00,2026-02-01 00:00:00,350,false,EUR,2026-01-01\n\
        acme,li_2,one_time,5000,1,0,0,,,0,false,JPY,2026-01-03\n";
    case(&[("line_items.csv", text)]).check(&[
        "li_1 acme subscription 100 EUR 2026-01-01+31",
        "li_2 acme one_off 5000 JPY 2026-01-03+1",
        "cost li_1:fee acme payment_fee 3.5 EUR 2026-01-01+31",
    ]);
}

const OWN: &str = r#"
name = "own"
title = "our own shop"
amount = [{ column = "Betrag" }]

[format]
delimiter = ";"
decimal = ","
thousands = "."
null = ["NULL"]
dates = ["%m/%d/%y"]
carry = { key = "Order", columns = ["Customer", "Date"] }

[detect]
required = ["Order", "Betrag"]

[fields]
line_id = ["Order", "Position"]
version = "Version"
customer = "Customer"
currency = "Currency|=EUR"
start = "Date"

[[line]]
kinds = [{ kind = "refund", when = { column = "Betrag", sign = "negative" } }, { kind = "one_off", when = [] }]
"#;

#[test]
fn literal_nulls_and_american_dates_are_what_the_mapping_says() {
    let text = "Order;Position;Customer;Date;Betrag;Currency;Version\n\
        A;1;acme;5/1/25;1.234,50;NULL;1\n\
        A;2;;;-10,00;USD;1\n\
        A;2;;;-12,00;USD;2\n\
        B;1;NULL;12/31/24;5;;1\n";
    Case {
        mapping: Some(OWN),
        ..case(&[("own.csv", text)])
    }
    .check(&[
        "A:1 acme one_off 1234.5 EUR 2025-05-01+1",
        "A:2 acme refund -12 USD 2025-05-01+1",
        "B:1 - one_off 5 EUR 2024-12-31+1",
        "excluded superseded 1",
    ]);
}

#[test]
fn a_mapping_reads_at_least_once_exports_and_lists_of_aliases() {
    let mapping = r#"
name = "meter"
title = "meter export"
amount = [{ column = "total", unit = "micros" }]
[fields]
line_id = "id"
version = "ts"
aliases = "ingest_aliases"
currency = "currency"
start = "from"
end = "to"
kind = "=usage"
[format]
dates = ["epoch_ms"]
"#;
    let line = |total: &str, ts: &str| {
        format!(
            "{{\"id\":\"x\",\"total\":{total},\"currency\":\"usd\",\"ts\":{ts},\"ingest_aliases\":[\"acme-eu\",\"acme\"],\"from\":1767225600000,\"to\":1769904000000}}\n"
        )
    };
    let text = [
        line("1500000", "9"),
        line("2500000", "10"),
        line("2500000", "10"),
        line("1", "2"),
    ]
    .concat();
    let loaded = Case {
        mapping: Some(mapping),
        ..case(&[("meter.ndjson", &text)])
    }
    .check(&[
        "x acme-eu usage 2.5 USD 2026-01-01+31",
        "excluded repeated 1",
        "excluded superseded 2",
    ]);
    assert_eq!(loaded.lines[0].ids().collect::<Vec<_>>(), ["acme-eu", "acme"]);
}

#[test]
fn parquet_is_read_like_text() {
    use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let amounts = Decimal128Array::from(vec![123_450_000_000_000_i128, -1])
        .with_precision_and_scale(38, 12)
        .unwrap();
    let batch = RecordBatch::try_from_iter([
        (
            "customer_id",
            Arc::new(StringArray::from(vec![Some("acme"), None])) as ArrayRef,
        ),
        ("amount", Arc::new(amounts)),
        ("currency", Arc::new(StringArray::from(vec!["USD", "EUR"]))),
        ("period_start", Arc::new(Date32Array::from(vec![20_454, 20_454]))),
        ("period_end", Arc::new(Date32Array::from(vec![Some(20_485), None]))),
        ("line_id", Arc::new(StringArray::from(vec!["a", "b"]))),
    ])
    .unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revenue.parquet");
    let mut writer = parquet::arrow::ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let inputs = RevenueInputs {
        files: vec![path.clone()],
        ..RevenueInputs::default()
    };
    let loaded = load(&inputs).unwrap();
    let shown: Vec<String> = loaded
        .lines
        .iter()
        .map(|line| format!("{} {}", line.amount, line.period.days()))
        .collect();
    assert_eq!(shown, ["123.45 31", "-0.000000000001 1"]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let error = load(&inputs).unwrap_err().to_string();
    assert!(
        error.starts_with("revenue.parquet:1: is a torn or damaged Parquet file"),
        "{error}"
    );
}

#[test]
fn a_mapping_that_is_none_names_what_is_wrong() {
    let base = "name = \"x\"\ntitle = \"x\"\namount = [\"a\"]\n[fields]\ncurrency = \"=USD\"\nstart = \"d\"\n";
    for (text, part) in [
        (base.replace("amount = [\"a\"]", ""), "amount is missing"),
        (base.replace("currency", "curency"), "curency"),
        (base.replace("start = \"d\"", ""), "fields.start is missing"),
        (base.replace("\"a\"", "\"a[\""), "write a column"),
        (format!("{base}[format]\ntimezone = \"Berlin\"\n"), "Europe/Berlin"),
        (format!("{base}[format]\ndecimal = \";\"\n"), "format.decimal"),
    ] {
        let case = Case {
            mapping: Some(&text),
            ..case(&[("a.csv", "a,d\n1,2026-01-01\n")])
        };
        let error = case.load().unwrap_err();
        assert!(error.contains("mapping.toml") && error.contains(part), "{error}");
    }
    let inputs = RevenueInputs {
        mappings: vec!["stripe_paymets".into()],
        ..RevenueInputs::default()
    };
    assert!(
        load(&inputs)
            .unwrap_err()
            .to_string()
            .contains("presets are generic, stripe_invoice_line_items")
    );
}

#[test]
fn a_newer_export_changes_only_what_changed() {
    let header = "customer_id,amount,currency,period_start,period_end,line_id,version\n";
    let old = format!("{header}acme,1,USD,2026-01-01,2026-02-01,a,1\nacme,2,USD,2026-01-01,2026-02-01,b,1\n");
    let new = format!("{header}acme,1,USD,2026-01-01,2026-02-01,a,1\nacme,3,USD,2026-01-01,2026-02-01,b,2\n");
    for files in [
        [("old.csv", old.as_str()), ("new.csv", new.as_str())],
        [("new.csv", new.as_str()), ("old.csv", old.as_str())],
    ] {
        let loaded = case(&files).load().unwrap();
        let sums: BTreeMap<&str, String> = loaded
            .lines
            .iter()
            .map(|line| (&*line.line_id, line.amount.to_string()))
            .collect();
        assert_eq!(sums, BTreeMap::from([("a", "1".to_owned()), ("b", "3".to_owned())]));
    }
}
