//! The exports of Stripe.

use super::*;

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
fn a_newer_export_of_an_invoice_brings_the_line_that_was_added_to_it() {
    let invoice = |lines: &str| {
        format!(
            r#"{{"object":"list","has_more":false,"data":[{{"id":"in_1","object":"invoice","customer":"cus_1","status":"open","currency":"usd","amount_due":100,"livemode":true,"created":1767225600,"lines":{{"has_more":false,"data":[{lines}]}}}}]}}"#
        )
    };
    let line = |id: &str, amount: u32| {
        format!(
            r#"{{"id":"{id}","amount":{amount},"currency":"usd","period":{{"start":1767225600,"end":1769904000}},"subscription":"sub_1"}}"#
        )
    };
    let old = invoice(&line("il_1", 1000));
    let new = invoice(&[line("il_1", 1000), line("il_2", 500)].join(","));
    case(&[("old.json", &old), ("new.json", &new)]).check(&[
        "il_1 cus_1 subscription 10 USD 2026-01-01+31",
        "il_2 cus_1 subscription 5 USD 2026-01-01+31",
        "excluded repeated 1",
    ]);
}
