//! Document summaries on the usage plan: a small model draws facts from each page, then a better one writes the
//! summary. Contracts go to our own fine-tune, which has no price yet.

use rand::Rng;

use super::response_id;
use super::timeline::{Timeline, keep_in_month};
use crate::demo::cast::{Plan, Users};
use crate::demo::month::moment;
use crate::demo::shapes::{Dice, PAGE_INPUT, SHORT_OUTPUT, SUMMARY_OUTPUT, happens};
use crate::demo::work::{Model, Node, Service, Tokens, Trace, Who, Work};

/// Tokens of the instructions before each page.
const INSTRUCTIONS: u64 = 310;

/// `documents` documents.
pub(super) fn traces(dice: &mut Dice, documents: usize) -> Vec<Trace> {
    let users = Users::of(|customer| (customer.plan == Plan::Metered).then_some(10));
    let mut traces = Vec::new();
    for _ in 0..documents {
        let customer = users.pick(dice).id.clone();
        let user = format!("{customer}/u{}", dice.random_range(1..12));
        let is_contract = customer == "aspen-law" && happens(dice, 35);
        let root = document(dice, is_contract);
        let who = Who {
            customer: Some(customer),
            user,
            conversation: None,
        };
        let mut trace = [Trace {
            service: Service::DocumentSummary,
            who,
            prompt: None,
            outcome: None,
            root,
        }];
        keep_in_month(&mut trace);
        traces.extend(trace);
    }
    traces
}

fn document(dice: &mut Dice, is_contract: bool) -> Node {
    let mut time = Timeline { now: moment(dice, 1) };
    let start = time.now;
    let (reader, writer) = if is_contract {
        (Model::InHouse, Model::InHouse)
    } else {
        (Model::Mini, Model::Terra)
    };
    let mut children = Vec::new();
    let mut facts = 0;
    for _ in 0..dice.random_range(1..=4) {
        let tokens = plain(INSTRUCTIONS + PAGE_INPUT.sample(dice), 40 + SHORT_OUTPUT.sample(dice));
        facts += tokens.output_text;
        let id = response_id(dice, "chatcmpl-");
        children.extend(time.call(dice, reader, tokens, id, 1));
    }
    let id = response_id(dice, "chatcmpl-");
    let summary = plain(INSTRUCTIONS + facts, SUMMARY_OUTPUT.sample(dice));
    children.extend(time.call(dice, writer, summary, id, 1));
    time.pass(dice, 5, 40);
    Node {
        work: Work::Workflow,
        start,
        end: time.now,
        children,
    }
}

fn plain(input_uncached: u64, output_text: u64) -> Tokens {
    Tokens {
        input_uncached,
        output_text,
        ..Tokens::default()
    }
}
