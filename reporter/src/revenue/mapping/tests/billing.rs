//! The exports of billing systems other than Stripe.

use super::*;

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

#[test]
fn orb_credits_pay_for_lines_and_do_not_lower_them() {
    let text = r#"{"data":[
{"id":"inv_1","invoice_number":"A-1","customer":{"id":"orb_1","external_customer_id":"acme"},"customer_email":"a@example.com","currency":"USD","status":"paid","amount_due":"0.00","invoice_date":"2026-02-01T00:00:00+00:00","issued_at":"2026-02-01T00:00:00+00:00","paid_at":"2026-02-03T10:00:00+00:00","subscription":{"id":"sub_1"},"line_items":[{"id":"li_1","name":"Tokens","quantity":1200.5,"subtotal":"120.05","adjusted_subtotal":"100.05","credits_applied":"100.05","amount":"0.00","start_date":"2026-01-01T00:00:00+00:00","end_date":"2026-02-01T00:00:00+00:00","price":{"name":"Tokens","price_type":"usage_price"}},{"id":"li_2","name":"Seats","quantity":2,"subtotal":"40.00","adjusted_subtotal":"40.00","amount":"40.00","start_date":"2026-02-01T00:00:00+00:00","end_date":"2026-03-01T00:00:00+00:00","price":{"name":"Seats","price_type":"fixed_price"}}]},
{"id":"inv_2","invoice_number":"A-2","customer":{"id":"orb_2","external_customer_id":null},"currency":"credits","status":"issued","amount_due":"5","invoice_date":"2026-02-01T00:00:00+00:00","line_items":[{"id":"li_3","name":"Tokens","subtotal":"5","adjusted_subtotal":"5","amount":"5","start_date":"2026-01-01","end_date":"2026-02-01"}]},
{"id":"inv_3","invoice_number":"A-3","customer":{"id":"orb_2","external_customer_id":null},"currency":"JPY","status":"void","amount_due":"5","invoice_date":"2026-02-01T00:00:00+00:00","line_items":[{"id":"li_4","name":"Tokens","subtotal":"5","adjusted_subtotal":"5","amount":"5","start_date":"2026-01-01","end_date":"2026-02-01"}]}
],"pagination_metadata":{"has_more":false}}"#;
    let loaded = case(&[("invoices.json", text)]).check(&[
        "li_1 acme usage 100.05 USD 2026-01-01+31",
        "li_2 acme subscription 40 USD 2026-02-01+28",
        "excluded credits 1",
        "excluded void 1",
    ]);
    assert_eq!(loaded.report.files[0].source, "orb_invoices");
    assert_eq!(loaded.lines[0].settled_at.unwrap().to_rfc3339(), "2026-02-03T10:00:00Z");
}

#[test]
fn openmeter_customers_are_known_by_key_and_by_every_subject() {
    let invoice = |id: &str, status: &str, amount: &str| {
        format!(
            r#"{{"id":"{id}","number":"N-{id}","status":"{status}","currency":"EUR","customer":{{"id":"01H","key":"acme","name":"Acme","usageAttribution":{{"subjectKeys":["acme-eu","acme-us"]}}}},"issuedAt":"2026-02-01T00:00:00Z","updatedAt":"2026-03-05T00:00:00Z","totals":{{"amount":"{amount}","taxesTotal":"0","total":"{amount}"}},"lines":[{{"id":"l{id}","type":"usage_based","name":"Tokens","currency":"EUR","featureKey":"chat","period":{{"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z"}},"totals":{{"amount":"{amount}","chargesTotal":"10","discountsTotal":"2.5","taxesInclusiveTotal":"0","taxesExclusiveTotal":"19","taxesTotal":"19","creditsTotal":"5","total":"0"}}}}]}}"#
        )
    };
    let text = format!(
        "{{\"totalCount\":3,\"page\":1,\"pageSize\":100,\"items\":[{},\n{},\n{}]}}",
        invoice("1", "paid", "100"),
        invoice("2", "uncollectible", "7.5"),
        invoice("3", "draft", "1")
    );
    let loaded = case(&[("invoices.json", &text)]).check(&[
        "l1 acme usage 107.5 EUR 2026-01-01+31",
        "l2 acme usage 15 EUR 2026-01-01+31",
        "cost l2:bad_debt acme bad_debt 15 EUR 2026-03-05+1",
        "excluded draft 1",
    ]);
    let ids: Vec<&str> = loaded.lines[0].ids().collect();
    assert_eq!(ids, ["acme", "01H", "acme-eu", "acme-us"]);
    assert_eq!(loaded.lines[0].feature.as_deref(), Some("chat"));
}
