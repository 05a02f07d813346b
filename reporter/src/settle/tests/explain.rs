//! The explanation reads as a tree with every verdict in it.

use super::dsl::*;
use crate::settle::explain::explain;
use crate::settle::record::{Dimension, Role};
use crate::settle::{NoCatalogue, settle};

fn text(built: &[Built]) -> String {
    let records: Vec<_> = built.iter().map(|one| one.0.clone()).collect();
    let trace = records[0].trace_id.unwrap();
    explain(records.clone(), &settle(records, &NoCatalogue), trace)
}

#[test]
fn an_agent_above_a_wrapped_call_reads_clearly() {
    let inner = llm("i").under("o").at(150, 250).usage(900, 100).scope("openai", "1");
    let text = text(&[
        agent("g").usage(1000, 100).has(Dimension::Customer, "acme", "customer.id"),
        llm("o").under("g").at(120, 260).usage(900, 100).scope("langchain", "1"),
        inner.clone(),
        inner,
        llm("f").under("g").at(110, 115).failed(),
    ]);
    let expected = "\
trace 74000000000000000000000000000000
└─ agent g 6700000000000000 (scope)
   │  not billed [aggregate]: repeats the usage of calls that are billed themselves
   │  billed are those calls, the first of them i 6900000000000000
   │  it said 1000 in, 100 out; of that 100 in and 0 out are in no call: a gap, not a cost
   ├─ llm f gpt-4.1 6600000000000000 (scope) failed: error
   │     not billed [failed_no_usage]: failed without usage, so nothing was charged
   └─ llm o gpt-4.1 6f00000000000000 (langchain)
      │  not billed [wrapper_of]: the same call, reported once more above or below it
      │  billed in its place: i 6900000000000000
      │  it said 900 in, 100 out
      └─ llm i gpt-4.1 6900000000000000 (openai) delivered 2 times
            BILLED 10 USD (priced), 900 in, 100 out
            for customer_id acme (from ancestor:customer.id)

1 billed, 10 USD; not billed: 1 aggregate, 1 failed_no_usage, 1 redelivered, 1 wrapper_of
";
    assert_eq!(text, expected);
}

#[test]
fn a_linked_trace_is_shown_too() {
    let text = text(&[
        llm("o").at(100, 300).usage(10_455, 96).scope("oi.langchain", "1"),
        llm("i").at(120, 290).trace("u").usage(10_455, 96).scope("oi.openai", "1"),
    ]);
    assert!(text.contains("linked trace 75"), "{text}");
    assert!(text.contains("the same call, seen by a second instrumentation"), "{text}");
}

#[test]
fn a_long_run_of_records_that_are_no_calls_is_one_line() {
    let other = |name: &str, at: i64| span(Role::Other, name).under("g").at(at, at + 1);
    let text = text(&[
        agent("g"),
        other("1", 110),
        other("2", 112),
        other("3", 114),
        other("4", 116),
        llm("c").under("g").at(120, 260).usage(900, 100),
        other("5", 300),
    ]);
    assert!(text.contains("├─ … 4 more that are no calls\n   ├─ llm c"), "{text}");
    assert!(text.contains("└─ other 5"), "{text}");
}
