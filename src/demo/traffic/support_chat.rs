//! The support chatbot: sessions of several turns, each turn a trace of its own, with the history sent again and mostly
//! read from the cache. The customer's id stands on the request only; the model call below inherits it.

use rand::Rng;

use super::response_id;
use super::timeline::{Timeline, keep_in_month};
use crate::demo::cast::{Plan, Users, WHALE};
use crate::demo::month::{SECOND, moment};
use crate::demo::shapes::{CHAT_OUTPUT, Dice, FIRST_INPUT, GROWTH, PAUSE_SECONDS, TURNS, happens};
use crate::demo::work::{Model, Node, Service, Tokens, Trace, Who, Work};

/// Tokens of the system prompt and the tools, the same in every session.
const SYSTEM_PROMPT: u64 = 768;
/// The cache holds whole blocks.
const BLOCK: u64 = 128;
/// Where the application cuts the history.
const LONGEST_HISTORY: u64 = 127_000;

/// `sessions` sessions.
pub(super) fn traces(dice: &mut Dice, sessions: usize) -> Vec<Trace> {
    let users = Users::of(|customer| match customer.plan {
        _ if customer.id == WHALE => Some(38),
        Plan::Team => Some(24),
        Plan::Annual => Some(10),
        Plan::Free => Some(3),
        Plan::Metered => None,
    });
    let mut traces = Vec::new();
    for session in 0..sessions {
        let customer = users.pick(dice).id.clone();
        let who = Who {
            // The preview in the settings page was built without it.
            customer: (!happens(dice, 2)).then(|| customer.clone()),
            user: format!("{customer}/u{}", dice.random_range(1..40)),
            conversation: Some(format!("chat-{session:05}")),
        };
        let mut session = turns(dice, &who);
        keep_in_month(&mut session);
        traces.append(&mut session);
    }
    traces
}

fn turns(dice: &mut Dice, who: &Who) -> Vec<Trace> {
    let mut time = Timeline { now: moment(dice, 1) };
    let model = if happens(dice, 45) { Model::Luna } else { Model::Terra };
    let mut input = FIRST_INPUT.sample(dice).max(SYSTEM_PROMPT + 20);
    let mut history = 0;
    let mut traces = Vec::new();
    for _ in 0..TURNS.sample(dice) {
        let tokens = tokens(dice, input, history);
        traces.push(Trace {
            service: Service::SupportChat,
            who: who.clone(),
            root: turn(dice, &mut time, model, tokens),
        });
        history = input;
        input = (input + GROWTH.sample(dice)).min(LONGEST_HISTORY);
        time.now += PAUSE_SECONDS.sample(dice) * SECOND;
    }
    traces
}

fn turn(dice: &mut Dice, time: &mut Timeline, model: Model, tokens: Tokens) -> Node {
    let start = time.now;
    time.pass(dice, 5, 60);
    let id = response_id(dice, "chatcmpl-");
    let children = time.call(dice, model, tokens, id, 2);
    time.pass(dice, 2, 20);
    Node {
        work: Work::Request { route: "POST /api/chat" },
        start,
        end: time.now,
        children,
    }
}

fn tokens(dice: &mut Dice, input: u64, history: u64) -> Tokens {
    // The cache forgets after some minutes; the system prompt is always warm in the daytime.
    let warm = if history > 0 && happens(dice, 80) {
        history
    } else if happens(dice, 85) {
        SYSTEM_PROMPT
    } else {
        0
    };
    let cache_read = warm.min(input - 1) / BLOCK * BLOCK;
    let output = CHAT_OUTPUT.sample(dice);
    let output_reasoning = if happens(dice, 30) { output * 2 / 5 } else { 0 };
    Tokens {
        input_uncached: input - cache_read,
        cache_read,
        cache_write_5m: 0,
        output_text: output - output_reasoning,
        output_reasoning,
    }
}
