//! What a user's own prices, contracts, multipliers and deployments do.

use marginlake_pricing::{Catalogue, Context, Instant, Overrides, Quote, Request, Scope, Status, Usage};

const NOON: &str = "2026-11-16T12:00:00Z";

struct Call<'a> {
    provider: &'a str,
    model: &'a str,
    at: &'a str,
    tenant: Option<&'a str>,
    context: &'a [(&'a str, &'a str)],
    usage: &'a [(&'a str, i64)],
}

const MILLION_IN: [(&str, i64); 2] = [("input_tokens", 1_000_000), ("output_tokens", 0)];

fn call<'a>(provider: &'a str, model: &'a str) -> Call<'a> {
    Call {
        provider,
        model,
        at: NOON,
        tenant: None,
        context: &[],
        usage: &MILLION_IN,
    }
}

fn quote(overrides: &str, call: &Call<'_>) -> Quote {
    let overrides = Overrides::parse(overrides).expect("well formed");
    let catalogue = Catalogue::embedded().with_overrides(&overrides).expect("accepted");
    assert_ne!(catalogue.hash(), Catalogue::embedded().hash());
    let usage: Usage = call.usage.iter().copied().collect();
    let context: Context = call.context.iter().copied().collect();
    catalogue.price(&Request {
        provider: Some(call.provider),
        model: Some(call.model),
        scope: Scope {
            tenant: call.tenant,
            ..Scope::default()
        },
        ..Request::new(&usage, &context, Instant::parse(call.at).expect("a moment").0)
    })
}

fn cost(overrides: &str, call: &Call<'_>) -> Option<String> {
    quote(overrides, call).cost.map(|cost| cost.to_string())
}

#[test]
fn an_own_price_wins_key_by_key_for_its_time() {
    let overrides = "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nfrom = \"2026-11-01\"\nuntil = \"2026-12-01\"\n\
                     rates = { input_mtok = \"2\" }\nsource = \"letter of 2026-10-20\"\n";
    let in_november = quote(
        overrides,
        &Call {
            usage: &[("input_tokens", 1_000_000), ("output_tokens", 100_000)],
            ..call("openai", "gpt-4o")
        },
    );
    assert_eq!(in_november.cost.expect("priced").to_string(), "3");
    assert_eq!(&*in_november.lines[0].source, "letter of 2026-10-20");
    assert!(in_november.lines[0].price_id.ends_with("+override"), "{in_november:?}");
    assert_eq!(&*in_november.lines[1].source, "genai-prices");
    let after = Call {
        at: "2026-12-01T00:00:00Z",
        ..call("openai", "gpt-4o")
    };
    assert_eq!(cost(overrides, &after).as_deref(), Some("2.5"));
    let batch = Call {
        context: &[("processing", "batch")],
        ..call("openai", "gpt-4o")
    };
    assert_eq!(
        cost(overrides, &batch).as_deref(),
        Some("1.25"),
        "a variant of the catalogue stays"
    );
}

#[test]
fn a_self_hosted_model_costs_its_machines() {
    let overrides = "[[price]]\nprovider = \"vllm\"\nmodel = \"llama3.1:8b\"\nsource = \"cluster bill\"\n\
                     [price.capacity]\ngpu_hour = \"2.50\"\ngpus = 4\nper_hour = { output_tokens = 8000000 }\n";
    let usage = [("input_tokens", 5_000), ("output_tokens", 1_000_000)];
    let quote = quote(
        overrides,
        &Call {
            usage: &usage,
            ..call("vllm", "Llama3.1:8b")
        },
    );
    assert_eq!(quote.cost.expect("priced").to_string(), "1.25");
    assert_eq!(quote.status, Status::Partial, "the input has no rate of its own");
    let by_seconds = "[[price]]\nprovider = \"vllm\"\nmodel = \"m\"\nrates = { gpu_hours = \"3.6\" }\nsource = \"s\"\n";
    let call = Call {
        usage: &[("gpu_seconds", 10)],
        ..call("vllm", "m")
    };
    assert_eq!(cost(by_seconds, &call).as_deref(), Some("0.01"));
}

#[test]
fn a_contract_changes_what_we_pay_and_not_the_list() {
    let overrides = "[[contract]]\nid = \"acme-2026\"\nprovider = \"openai\"\ndiscount = \"0.15\"\nreference = \"MSA 7\"\n\
                     [[contract]]\nid = \"acme-eu\"\nprovider = \"openai\"\ntenant = \"eu\"\nmodels = [\"gpt-4o*\"]\n\
                     rates = { input_mtok = \"1.5\" }\nreference = \"MSA 8\"\n\
                     [[contract]]\nid = \"old\"\nprovider = \"openai\"\ntenant = \"eu\"\nmodels = [\"gpt-4o\"]\nuntil = \"2026-01-01\"\ndiscount = \"0.9\"\n";
    let everywhere = quote(overrides, &call("openai", "gpt-4o"));
    let (paid, list) = (everywhere.cost.expect("priced"), everywhere.list_cost.expect("priced"));
    assert_eq!((paid.to_string(), list.to_string()), ("2.125".to_owned(), "2.5".to_owned()));
    assert_eq!(everywhere.lines[0].applied, ["acme-2026"]);
    let eu = Call {
        tenant: Some("eu"),
        ..call("openai", "gpt-4o-mini")
    };
    assert_eq!(cost(overrides, &eu).as_deref(), Some("1.5"));
    assert_eq!(cost(overrides, &call("anthropic", "claude-opus-5")).as_deref(), Some("5"));
}

#[test]
fn a_deployment_stands_for_its_model() {
    let overrides = "[[deployment]]\nprovider = \"azure.ai.openai\"\nname = \"Prod-Chat\"\nmodel = \"gpt-4o\"\n";
    let quote = quote(overrides, &call("azure.ai.openai", "prod-chat"));
    assert_eq!(quote.cost.expect("priced").to_string(), "2.5");
    assert!(
        quote.assumptions.iter().any(|text| text.contains("by configuration")),
        "{quote:?}"
    );
}

#[test]
fn multipliers_stack() {
    let overrides = "[[multiplier]]\nprovider = \"openrouter\"\nid = \"credit fee\"\nfactor = \"1.055\"\n\
                     [[multiplier]]\nprovider = \"openrouter\"\nid = \"eu\"\nfactor = \"1.1\"\nwhen = { data_residency = \"eu\" }\n";
    let eu = Call {
        context: &[("data_residency", "eu")],
        ..call("openrouter", "openai/gpt-4o")
    };
    let quote = quote(overrides, &eu);
    assert_eq!(quote.cost.expect("priced").to_string(), "2.90125");
    assert_eq!(quote.lines[0].applied, ["credit fee", "eu"]);
}

#[test]
fn a_price_is_not_known_before_it_was() {
    let overrides = "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nfrom = \"2026-11-01\"\nknown_from = \"2026-11-20\"\n\
                     rates = { input_mtok = \"2\" }\nsource = \"s\"\n";
    let catalogue = Catalogue::embedded()
        .with_overrides(&Overrides::parse(overrides).expect("well formed"))
        .expect("accepted");
    let (usage, context): (Usage, Context) = (MILLION_IN.into_iter().collect(), Context::new());
    let as_of = |day: &str| {
        let moment = |text: &str| Instant::parse(text).expect("a moment").0;
        catalogue.price(&Request {
            provider: Some("openai"),
            model: Some("gpt-4o"),
            known_at_unix_nano: Some(moment(day)),
            ..Request::new(&usage, &context, moment(NOON))
        })
    };
    assert_eq!(as_of("2026-11-21").cost.expect("priced").to_string(), "2");
    let earlier = as_of("2026-11-09");
    assert_eq!(earlier.cost.expect("priced").to_string(), "2.5");
    assert!(
        earlier.assumptions.iter().any(|text| text.starts_with("known_from_unknown")),
        "{earlier:?}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    for text in [
        "[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nsource = \"s\"\n",
        "[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nrates = { input_mtok = \"-1\" }\n",
        "[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nrates = { input_mtok = \"0.1234567890123\" }\n",
        "[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nfrom = \"2026-02-01\"\nuntil = \"2026-01-01\"\nrates = { input_mtok = \"1\" }\n",
        "[[price]]\nprovider = \"\"\nmodel = \"m\"\nrates = { input_mtok = \"1\" }\n",
        "[[contract]]\nid = \"c\"\n",
        "[[contract]]\nid = \"c\"\ndiscount = \"1\"\n",
        "[[multiplier]]\nprovider = \"openai\"\nid = \"m\"\nfactor = \"0\"\n",
        "[[deployment]]\nprovider = \"nobody\"\nname = \"n\"\nmodel = \"m\"\n",
        "[[price]]\nprovider = \"vllm\"\nmodel = \"m\"\ncapacity = { gpu_hour = \"1\", gpus = 0, per_hour = { output_tokens = 1 } }\n",
    ] {
        let overrides = Overrides::parse(text).expect("well formed");
        assert!(Catalogue::embedded().with_overrides(&overrides).is_err(), "{text}");
    }
}
