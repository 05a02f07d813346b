//! Stores and merchants of record: what they take, give back and repeat.

use super::*;

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
