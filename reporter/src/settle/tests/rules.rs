//! The billing rules, one case each. `vector N` is the number in section 10 of the conventions reference.

use super::dsl::*;
use crate::settle::record::{Dimension, Kind};
use marginlake_lake::schema::Role;

const ID: &str = "chatcmpl-69fa54d9c9e8e6ed";
const OTHER_ID: &str = "chatcmpl-73e55c96af0cca64";

#[test]
fn a_chat_span_alone_is_one_call() {
    check(&[llm("a").usage(100, 20)], &[("a", 100, 20)], &[]);
}

#[test]
fn vector_23_a_chain_around_one_step_is_an_aggregate() {
    check(
        &[span(Role::Chain, "p").usage(2500, 400), llm("a").under("p").usage(2500, 400)],
        &[("a", 2500, 400)],
        &["p aggregate a"],
    );
}

#[test]
fn vector_27_only_the_innermost_of_agent_step_and_chat_is_billed() {
    check(
        &[
            agent("g").usage(2500, 400),
            span(Role::Step, "s").under("g").usage(2500, 400),
            llm("a").under("s").usage(2500, 400),
        ],
        &[("a", 2500, 400)],
        &["g aggregate a", "s aggregate a"],
    );
}

#[test]
fn vector_28_two_embeddings_of_equal_size_are_two_calls() {
    let embed = |name: &str| span(Role::Embedding, name).under("p").usage(812, 0);
    check(
        &[span(Role::Chain, "p").usage(1624, 0), embed("a"), embed("b").at(200, 300)],
        &[("a", 812, 0), ("b", 812, 0)],
        &["p aggregate a"],
    );
}

#[test]
fn vector_29_an_agent_that_sums_its_chats_is_not_billed() {
    check(
        &[
            agent("g").usage(3000, 30),
            llm("a").under("g").usage(1000, 10),
            llm("b").under("g").usage(2000, 20).at(200, 300),
        ],
        &[("a", 1000, 10), ("b", 2000, 20)],
        &["g aggregate a"],
    );
}

#[test]
fn vectors_30_and_39_an_agent_without_calls_is_billed_once() {
    let settled = check(
        &[
            span(Role::Workflow, "w").usage(3000, 50),
            agent("g").under("w").usage(3000, 50),
        ],
        &[("g", 3000, 50)],
        &["w aggregate g"],
    );
    assert_eq!(settled.calls[0].granularity.as_str(), "aggregate");
    assert!(settled.calls[0].record.has_flag("orphan_aggregate"));
}

#[test]
fn vector_34_a_gateway_and_its_client_with_one_response_id_are_one_call() {
    let settled = check(
        &[
            llm("c")
                .usage(500, 50)
                .response(ID)
                .kind(Kind::Client)
                .has(Dimension::Customer, "acme", "customer.id"),
            llm("g")
                .trace("u")
                .usage(500, 50)
                .response(ID)
                .scope("litellm", "1")
                .convention("litellm")
                .charge(12_300),
        ],
        &[("g", 500, 50)],
        &["c duplicate_response g"],
    );
    let customer = settled.calls[0].record.attributed(Dimension::Customer).unwrap();
    assert_eq!((&*customer.value, &*customer.source), ("acme", "duplicate:customer.id"));
    assert_eq!(settled.calls[0].records, 2);
}

#[test]
fn vector_35_the_inner_of_two_instrumentations_is_billed_and_the_outer_donates() {
    let settled = check(
        &[
            llm("o")
                .at(100, 300)
                .usage(900, 100)
                .scope("langchain", "1")
                .has(Dimension::User, "u1", "user.id"),
            llm("i").at(150, 250).under("o").usage(900, 100).scope("openai", "1"),
        ],
        &[("i", 900, 100)],
        &["o wrapper_of i"],
    );
    let user = settled.calls[0].record.attributed(Dimension::User).unwrap();
    assert_eq!((&*user.value, &*user.source), ("u1", "ancestor:user.id"));
}

#[test]
fn vector_36_the_client_span_of_a_nested_pair_is_billed() {
    check(
        &[
            llm("o").usage(900, 100),
            llm("i").under("o").usage(900, 100).kind(Kind::Client),
        ],
        &[("i", 900, 100)],
        &["o wrapper_of i"],
    );
}

#[test]
fn vectors_38_and_41_an_agent_with_cumulative_usage_is_not_billed() {
    check(
        &[agent("g").usage(7000, 900), llm("a").under("g").usage(5000, 800)],
        &[("a", 5000, 800)],
        &["g aggregate a"],
    );
}

#[test]
fn vector_40_logs_of_the_session_are_billed_instead_of_the_agent() {
    let log_of = |name: &str, input, output| {
        log(name)
            .no_trace()
            .usage(input, output)
            .session("s1")
            .at(150, 180)
            .convention("claude_code")
    };
    check(
        &[
            agent("g").usage(9000, 700).session("s1"),
            log_of("l1", 5000, 300),
            log_of("l2", 4000, 400).at(180, 190),
        ],
        &[("l1", 5000, 300), ("l2", 4000, 400)],
        &["g aggregate l1"],
    );
}

#[test]
fn logs_of_the_session_at_another_time_leave_the_agent_billed() {
    check(
        &[
            agent("g").usage(9000, 700).session("s1"),
            log("l")
                .no_trace()
                .usage(5000, 300)
                .session("s1")
                .at(5_000, 6_000)
                .convention("claude_code"),
        ],
        &[("g", 9000, 700), ("l", 5000, 300)],
        &[],
    );
}

#[test]
fn vector_42_an_unsplittable_total_is_a_row_without_cost() {
    let crew = agent("g").with(|record| {
        record.usage = Some(vec![("total_tokens".into(), Some(9000))]);
        record.price.status = Some("unpriced".into());
    });
    let settled = check(&[crew], &[("g", 0, 0)], &[]);
    assert_eq!(settled.calls[0].record.price.cost_usd, None);
    assert_eq!(settled.calls[0].record.buckets, [None; 10]);
}

#[test]
fn vector_43_an_agent_that_echoes_its_last_call_is_not_billed() {
    let settled = check(
        &[
            agent("g").usage(500, 50),
            llm("a").under("g").usage(400, 40),
            llm("b").under("g").usage(500, 50).at(200, 300),
        ],
        &[("a", 400, 40), ("b", 500, 50)],
        &["g aggregate a"],
    );
    assert_eq!(settled.excluded[0].gap, None);
}

#[test]
fn vector_45_cumulative_usage_of_spring_ai_below_2_is_resolved() {
    let chat = |name: &str, version: &str| llm(name).under("p").scope("org.springframework.ai", version);
    let pair = |version: &str| {
        [
            span(Role::Chain, "p"),
            chat("a", version).usage(100, 20).finish("TOOL_CALLS"),
            chat("b", version).usage(350, 60).finish("STOP").at(200, 300),
        ]
    };
    check(&pair("1.1.0"), &[("a", 100, 20), ("b", 250, 40)], &[]);
    check(&pair("2.0.1"), &[("a", 100, 20), ("b", 350, 60)], &[]);
}

/// Spring Boot's version tells Spring AI's only by likelihood: the tool's span between the calls is the proof.
#[test]
fn under_spring_boot_3_a_loop_is_taken_apart_where_the_frameworks_tool_ran() {
    let boot = |built: Built| built.under("p").convention("spring_ai_boot_3");
    let calls = [
        span(Role::Chain, "p"),
        boot(llm("a")).usage(100, 20).finish("TOOL_CALLS"),
        boot(llm("b")).usage(350, 60).finish("STOP").at(300, 400),
    ];
    check(&calls, &[("a", 100, 20), ("b", 350, 60)], &[]);
    let with = |tool: Built| [calls.to_vec(), vec![tool]].concat();
    check(&with(boot(tool("t")).at(210, 290)), &[("a", 100, 20), ("b", 250, 40)], &[]);
    check(&with(boot(tool("t")).at(410, 490)), &[("a", 100, 20), ("b", 350, 60)], &[]);
    check(
        &with(tool("t").under("p").at(210, 290)),
        &[("a", 100, 20), ("b", 350, 60)],
        &[],
    );
}

#[test]
fn vector_52_a_products_log_stands_for_its_span() {
    check(
        &[
            log("l")
                .no_trace()
                .usage(5, 300)
                .response(ID)
                .convention("claude_code")
                .session("s"),
            llm("a").usage(5, 300).response(ID).convention("claude_code").session("s"),
        ],
        &[("l", 5, 300)],
        &["a duplicate_signal l"],
    );
}

#[test]
fn vector_55_a_log_in_the_context_of_a_call_is_that_call() {
    check(
        &[
            span(Role::Step, "t").usage(12_000, 800),
            llm("a").under("t").usage(12_000, 800).convention("codex"),
            log("l").under("a").usage(12_000, 800).convention("codex"),
        ],
        &[("a", 12_000, 800)],
        &["l duplicate_signal a", "t aggregate a"],
    );
}

#[test]
fn vector_57_gemini_cli_is_billed_by_its_api_response() {
    let gemini = |built: Built| built.convention("gemini_cli").session("s");
    check(
        &[
            gemini(log("gemini_cli.api_response").no_trace().usage(1100, 350).at(100, 200)),
            gemini(
                log("gen_ai.client.inference.operation.details")
                    .no_trace()
                    .usage(1000, 350)
                    .at(100, 201),
            ),
            gemini(llm("s").usage(1000, 350).at(100, 201)),
        ],
        &[("gemini_cli.api_response", 1100, 350)],
        &[
            "gen_ai.client.inference.operation.details duplicate_signal gemini_cli.api_response",
            "s duplicate_signal gemini_cli.api_response",
        ],
    );
}

#[test]
fn vector_61_the_engine_below_a_client_loses() {
    check(
        &[
            llm("c").usage(900, 100).kind(Kind::Client),
            llm("e")
                .under("c")
                .usage(900, 100)
                .kind(Kind::Server)
                .service("engine")
                .convention("vllm"),
        ],
        &[("c", 900, 100)],
        &["e wrapper_of c"],
    );
}

#[test]
fn vector_62_the_engine_alone_is_billed() {
    check(&[llm("e").usage(900, 100).kind(Kind::Server)], &[("e", 900, 100)], &[]);
}

#[test]
fn vectors_63_and_65_counting_and_fetching_are_free() {
    check(
        &[
            span(Role::TokenCounter, "n").usage(700, 0),
            span(Role::Management, "f").usage(2006, 300).response(ID).at(500, 600),
            llm("a").trace("u").usage(2006, 300).response(ID),
        ],
        &[("a", 2006, 300)],
        &["f free_operation a", "n free_operation"],
    );
}

#[test]
fn vectors_66_and_67_a_failed_attempt_without_usage_is_not_billed() {
    check(
        &[
            span(Role::Chain, "p"),
            llm("a").under("p").failed(),
            llm("b").under("p").usage(100, 20).at(200, 300),
        ],
        &[("b", 100, 20)],
        &["a failed_no_usage"],
    );
}

#[test]
fn vector_68_retries_with_their_own_usage_are_two_calls() {
    check(
        &[
            llm("a").usage(100, 20).response(ID),
            llm("b").usage(100, 20).response(OTHER_ID).at(200, 300),
        ],
        &[("a", 100, 20), ("b", 100, 20)],
        &[],
    );
}

#[test]
fn vector_69_polling_a_run_is_one_call() {
    let read = |name: &str, start| {
        llm(name)
            .usage(900, 90)
            .run("r1")
            .scope("azure.ai.agents", "1")
            .convention("azure_ai_agents")
            .at(start, start + 9)
    };
    check(
        &[read("a", 1), read("b", 20), read("c", 40)],
        &[("a", 900, 90)],
        &["b re_read a", "c re_read a"],
    );
}

#[test]
fn vector_76_what_leaves_do_not_explain_is_a_gap() {
    let settled = check(
        &[agent("g").usage(1000, 200), llm("a").under("g").usage(600, 100)],
        &[("a", 600, 100)],
        &["g aggregate a"],
    );
    assert_eq!(settled.excluded[0].gap, Some((400, 100)));
}

#[test]
fn vector_77_a_call_inside_a_tool_of_a_call_is_another_call() {
    check(
        &[
            llm("o").usage(300, 30),
            tool("t").under("o"),
            llm("i").under("t").usage(900, 90),
        ],
        &[("i", 900, 90), ("o", 300, 30)],
        &[],
    );
}

#[test]
fn vector_78_an_outer_chat_that_sums_calls_across_a_tool_is_a_roll_up() {
    check(
        &[
            llm("o").usage(1200, 120),
            llm("a").under("o").usage(300, 30),
            tool("t").under("o"),
            llm("i").under("t").usage(900, 90),
        ],
        &[("a", 300, 30), ("i", 900, 90)],
        &["o aggregate a"],
    );
}

#[test]
fn vector_79_a_batch_delivered_twice_changes_no_call() {
    let records = [agent("g").usage(100, 20), llm("a").under("g").usage(100, 20)];
    let once = run(&records);
    let twice = run(&[records.clone(), records].concat());
    assert_eq!(once.calls, twice.calls);
}

#[test]
fn a_cache_hit_costs_nothing_even_when_the_client_saw_usage() {
    check(
        &[
            llm("c").usage(500, 100).response(ID),
            llm("g")
                .trace("u")
                .usage(500, 100)
                .response(ID)
                .convention("litellm")
                .flag("cache_hit"),
        ],
        &[],
        &["c cache_hit", "g cache_hit"],
    );
}

#[test]
fn a_call_that_ended_well_without_usage_is_a_row_of_unknown_cost() {
    let settled = check(&[llm("a")], &[("a", 0, 0)], &[]);
    let record = &settled.calls[0].record;
    assert_eq!(record.usage_status.as_deref(), Some("missing"));
    assert_eq!(record.price.status.as_deref(), Some("no_usage"));
    assert_eq!((record.price.cost_usd, record.buckets), (None, [None; 10]));
}

#[test]
fn a_silent_call_below_an_agent_with_usage_is_the_agents() {
    check(
        &[agent("g").usage(500, 50), llm("a").under("g")],
        &[("g", 500, 50)],
        &["a usage_in_aggregate g"],
    );
}

#[test]
fn two_instrumentations_in_two_traces_are_matched_by_usage_and_time() {
    check(
        &[
            llm("o")
                .at(100, 300)
                .usage(10_455, 96)
                .cached(8327)
                .scope("oi.langchain", "1"),
            llm("i")
                .at(120, 290)
                .trace("u")
                .usage(10_455, 96)
                .cached(8327)
                .scope("oi.openai", "1"),
        ],
        &[("i", 10_455, 96)],
        &["o duplicate_instrumentation i"],
    );
}

#[test]
fn identical_parallel_calls_seen_by_two_vendors_stay_two() {
    let outer = |name: &str, start, end| llm(name).at(start, end).trace(name).usage(700, 70).scope("traceloop", "1");
    let inner = |name: &str, start, end| llm(name).at(start, end).trace(name).usage(700, 70).scope("oi", "1");
    let settled = run(&[
        outer("o1", 100, 300),
        outer("o2", 101, 305),
        inner("i1", 110, 290),
        inner("i2", 111, 295),
    ]);
    assert_eq!(settled.calls.len(), 2);
    assert_eq!(settled.excluded.len(), 2);
}

#[test]
fn identical_parallel_calls_of_one_vendor_are_not_merged() {
    let call = |name: &str, start, end| llm(name).at(start, end).trace(name).usage(700, 70);
    check(
        &[call("a", 100, 300), call("b", 110, 290)],
        &[("a", 700, 70), ("b", 700, 70)],
        &[],
    );
}

#[test]
fn equal_usage_with_contradicting_ids_is_two_calls() {
    check(
        &[
            llm("a").at(100, 300).usage(700, 70).response(ID).scope("x", "1"),
            llm("b")
                .at(110, 290)
                .trace("u")
                .usage(700, 70)
                .response(OTHER_ID)
                .scope("y", "1"),
        ],
        &[("a", 700, 70), ("b", 700, 70)],
        &[],
    );
}

#[test]
fn a_constant_response_id_joins_nothing() {
    check(
        &[
            llm("a").trace("t").usage(100, 10).response(ID),
            llm("b").trace("u").usage(200, 20).response(ID),
            llm("c").trace("v").usage(300, 30).response(ID),
        ],
        &[("a", 100, 10), ("b", 200, 20), ("c", 300, 30)],
        &[],
    );
}

#[test]
fn three_records_of_one_call_are_one() {
    check(
        &[
            llm("o").usage(32_401, 879).response(ID).scope("oi.anthropic", "3"),
            llm("n")
                .under("o")
                .at(120, 190)
                .usage(32_401, 879)
                .response(ID)
                .scope("com.anthropic.sdk", "2"),
            llm("x")
                .under("o")
                .at(110, 195)
                .usage(32_401, 880)
                .response(ID)
                .scope("traceloop.anthropic", "0.62"),
        ],
        &[("n", 32_401, 879)],
        &["o wrapper_of n", "x duplicate_response n"],
    );
}

#[test]
fn a_leaf_below_a_span_that_never_arrived_stands_for_the_agent() {
    check(
        &[agent("g").usage(500, 50), llm("a").under("lost").at(120, 180).usage(500, 50)],
        &[("a", 500, 50)],
        &["g aggregate a"],
    );
}

#[test]
fn a_remote_agent_beside_a_chat_is_billed_too() {
    check(
        &[
            span(Role::Workflow, "w"),
            agent("g").under("w").usage(500, 50).session("s"),
            llm("a").under("w").usage(100, 10).session("s").at(120, 180),
        ],
        &[("a", 100, 10), ("g", 500, 50)],
        &[],
    );
}

#[test]
fn the_nearest_ancestor_wins_over_the_resource() {
    let settled = run(&[
        agent("g").has(Dimension::Customer, "far", "customer.id"),
        span(Role::Chain, "c")
            .under("g")
            .has(Dimension::Customer, "near", "customer.id"),
        llm("a")
            .under("c")
            .usage(1, 1)
            .has(Dimension::Customer, "default", "resource:customer.id"),
    ]);
    let customer = settled.calls[0].record.attributed(Dimension::Customer).unwrap();
    assert_eq!((&*customer.value, &*customer.source), ("near", "ancestor:customer.id"));
}

#[test]
fn calls_of_an_evaluator_are_not_cost_of_goods() {
    let settled = run(&[span(Role::Evaluator, "e"), llm("a").under("e").usage(1, 1)]);
    assert_eq!(settled.calls[0].cost_class.as_str(), "not_cogs");
}

#[test]
fn tenants_never_meet() {
    let tenant = |built: Built, name: &str| built.with(|record| record.tenant = Some(name.into()));
    let settled = run(&[
        tenant(llm("a").usage(100, 10).response(ID), "one"),
        tenant(llm("a").usage(100, 10).response(ID), "two"),
    ]);
    assert_eq!(settled.calls.len(), 2);
}

#[test]
fn a_codex_log_below_the_turn_is_the_call_below_the_turn() {
    check(
        &[
            span(Role::Step, "t").usage(12_000, 800).convention("codex"),
            llm("a").under("t").usage(12_000, 800).convention("codex"),
            log("l").under("t").at(200, 200).usage(12_000, 800).convention("codex"),
        ],
        &[("a", 12_000, 800)],
        &["l duplicate_signal a", "t aggregate a"],
    );
}

#[test]
fn a_frameworks_run_id_does_not_contradict_a_providers_id() {
    check(
        &[
            llm("o")
                .at(100, 300)
                .usage(700, 70)
                .response("lc_run--019a-4bd5-ed74")
                .scope("x", "1"),
            llm("i")
                .at(110, 290)
                .trace("u")
                .usage(700, 70)
                .response("msg_4aebd5ed743a53cf")
                .scope("y", "1"),
        ],
        &[("i", 700, 70)],
        &["o duplicate_instrumentation i"],
    );
}

#[test]
fn embeddings_seen_by_two_instrumentations_are_matched() {
    let embed = |name: &str| span(Role::Embedding, name).model("text-embedding-3-small");
    check(
        &[
            embed("o").at(100, 300).usage(812, 0).scope("x", "1"),
            embed("i").at(110, 290).trace("u").usage(812, 0).scope("y", "1"),
        ],
        &[("i", 812, 0)],
        &["o duplicate_instrumentation i"],
    );
}

#[test]
fn one_response_id_is_one_call_across_an_agent_between() {
    check(
        &[
            llm("o").usage(300, 30).response(ID),
            agent("g").under("o"),
            llm("i").under("g").at(110, 190).usage(310, 30).response(ID),
        ],
        &[("i", 310, 30)],
        &["o wrapper_of i"],
    );
}

#[test]
fn vector_59_the_siblings_of_an_openrouter_root_are_the_same_call() {
    let openrouter = |built: Built| built.usage(2006, 300).convention("openrouter").scope("openrouter", "1");
    check(
        &[
            openrouter(llm("r"))
                .with(|record| record.name = Some("LLM Generation".into()))
                .charge(4000),
            openrouter(llm("g"))
                .with(|record| record.name = Some("generation".into()))
                .at(110, 190),
        ],
        &[("r", 2006, 300)],
        &["g duplicate_signal r"],
    );
}
