//! The insights agent on the premium model: a loop of model calls and tools whose growing context is written to and read
//! from the cache; some questions are passed to a sub-agent on a cheaper model. Each agent's span repeats the sum of
//! what happened below it.

use rand::Rng;

use super::response_id;
use super::timeline::{Timeline, keep_in_month};
use crate::demo::cast::{ADD_ON, FREE_INSIGHTS_FROM, Plan, Users, WHALE};
use crate::demo::month::{moment, start_of};
use crate::demo::shapes::{CHAT_OUTPUT, Dice, FIRST_INPUT, PAGE_INPUT, TURNS, happens};
use crate::demo::work::{Model, Node, Prompt, Service, Tokens, Trace, Who, Work};

/// Tokens of the system prompt with the schema of the customer's data.
const SCHEMA: u64 = 5400;
/// The same since somebody pasted the whole data dictionary into it, and the day of that.
const DICTIONARY: u64 = 17_300;
const DICTIONARY_FROM: u64 = 18;
const LONGEST_CONTEXT: u64 = 150_000;
const TOOLS: [&str; 3] = ["run_sql", "search_tickets", "plot"];

/// `runs` runs.
pub(super) fn traces(dice: &mut Dice, runs: usize) -> Vec<Trace> {
    let users = Users::of(|customer| match customer.plan {
        Plan::Free => Some(28),
        _ if customer.id == WHALE => Some(70),
        _ if ADD_ON.contains(&customer.id.as_str()) => Some(12),
        _ => None,
    });
    let mut traces = Vec::new();
    for run in 0..runs {
        let customer = users.pick(dice);
        let first_day = if customer.plan == Plan::Free { FREE_INSIGHTS_FROM } else { 1 };
        let mut time = Timeline {
            now: moment(dice, first_day),
        };
        let who = Who {
            customer: Some(customer.id.clone()),
            user: format!("{}/u{}", customer.id, dice.random_range(1..6)),
            conversation: Some(format!("run-{run:05}")),
        };
        let is_new = time.now >= start_of(DICTIONARY_FROM);
        let prompt = Prompt {
            name: "insights-system",
            version: if is_new { "5" } else { "4" },
        };
        let length = if is_new { DICTIONARY } else { SCHEMA };
        let root = agent(dice, &mut time, ("insights", Model::Opus), length, true);
        let mut trace = [Trace {
            service: Service::InsightsAgent,
            who,
            prompt: Some(prompt),
            outcome: None,
            root,
        }];
        keep_in_month(&mut trace);
        traces.extend(trace);
    }
    traces
}

fn agent(dice: &mut Dice, time: &mut Timeline, (name, model): (&'static str, Model), prompt: u64, may_delegate: bool) -> Node {
    let start = time.now;
    time.pass(dice, 1, 10);
    let mut children = Vec::new();
    let mut cached = if happens(dice, 60) { prompt } else { 0 };
    let mut context = prompt + FIRST_INPUT.sample(dice);
    let steps = TURNS.sample(dice) + dice.random_range(2..6);
    for step in 0..steps {
        let tokens = tokens(dice, context, cached);
        let id = response_id(dice, "msg_");
        children.extend(time.call(dice, model, tokens, id, 1));
        if step + 1 == steps {
            break;
        }
        children.push(tool(dice, time, may_delegate));
        cached = context;
        context = (context + tokens.output() + PAGE_INPUT.sample(dice)).min(LONGEST_CONTEXT);
    }
    time.pass(dice, 1, 10);
    Node {
        work: Work::Agent { name, model },
        start,
        end: time.now,
        children,
    }
}

fn tool(dice: &mut Dice, time: &mut Timeline, may_delegate: bool) -> Node {
    if may_delegate && happens(dice, 12) {
        let start = time.now;
        time.pass(dice, 1, 5);
        let researcher = agent(dice, time, ("researcher", Model::Haiku), SCHEMA, false);
        time.pass(dice, 1, 5);
        return Node {
            work: Work::Tool { name: "ask_researcher" },
            start,
            end: time.now,
            children: vec![researcher],
        };
    }
    let name = TOOLS[dice.random_range(0..TOOLS.len())];
    time.leaf(dice, Work::Tool { name }, 40, 3000)
}

/// What is new in the context is written to the cache, but for the last few tokens.
fn tokens(dice: &mut Dice, context: u64, cached: u64) -> Tokens {
    let input_uncached = dice.random_range(4..40);
    // It thinks about as much again as it would write in a chat, twice over.
    let output_reasoning = 2 * CHAT_OUTPUT.sample(dice);
    Tokens {
        input_uncached,
        cache_read: cached,
        cache_write_5m: context - cached,
        output_text: CHAT_OUTPUT.sample(dice),
        output_reasoning,
    }
}
