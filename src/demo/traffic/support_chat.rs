//! The support chatbot: sessions of several turns, each turn a trace of its own, with the history sent again and mostly
//! read from the cache. The customer's id stands on the request only; the model call below inherits it.
//!
//! The dear model resolves more than the cheap one, and passes less on to people; two customers that only ever got the
//! cheap one left.

use rand::Rng;

use super::response_id;
use super::timeline::{Timeline, keep_in_month};
use crate::demo::cast::{LEFT, LEFT_ON, Plan, Users, WHALE};
use crate::demo::month::{DAYS, SECOND, moment_between};
use crate::demo::shapes::{CHAT_OUTPUT, Dice, FIRST_INPUT, GROWTH, PAUSE_SECONDS, TURNS, happens, pick};
use crate::demo::work::{Model, Node, Outcome, Service, Tokens, Trace, Who, Work};

/// Tokens of the system prompt and the tools, the same in every session.
const SYSTEM_PROMPT: u64 = 768;
/// The cache holds whole blocks.
const BLOCK: u64 = 128;
/// Where the application cuts the history.
const LONGEST_HISTORY: u64 = 127_000;

/// Of a hundred conversations: resolved, passed on to a person, not resolved; nobody noted the rest.
const OF_TERRA: [u64; 3] = [76, 6, 9];
const OF_LUNA: [u64; 3] = [51, 18, 21];

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
        let has_left = LEFT.contains(&customer.as_str());
        let last_day = if has_left { LEFT_ON } else { DAYS };
        let model = if has_left || happens(dice, 45) {
            Model::Luna
        } else {
            Model::Terra
        };
        let mut session = turns(dice, &who, model, last_day);
        keep_in_month(&mut session);
        traces.append(&mut session);
    }
    traces
}

fn turns(dice: &mut Dice, who: &Who, model: Model, last_day: u64) -> Vec<Trace> {
    let mut time = Timeline {
        now: moment_between(dice, 1, last_day),
    };
    let mut input = FIRST_INPUT.sample(dice).max(SYSTEM_PROMPT + 20);
    let mut history = 0;
    let mut traces = Vec::new();
    for _ in 0..TURNS.sample(dice) {
        let tokens = tokens(dice, input, history);
        traces.push(Trace {
            service: Service::SupportChat,
            who: who.clone(),
            prompt: None,
            outcome: None,
            root: turn(dice, &mut time, model, tokens),
        });
        history = input;
        input = (input + GROWTH.sample(dice)).min(LONGEST_HISTORY);
        time.now += PAUSE_SECONDS.sample(dice) * SECOND;
    }
    let outcome = outcome(dice, model);
    if outcome == Some(Outcome::Escalated) {
        traces.push(Trace {
            service: Service::SupportChat,
            who: who.clone(),
            prompt: None,
            outcome: None,
            root: time.leaf(dice, Work::Takeover, 30_000, 120_000),
        });
    }
    if let Some(last) = traces.last_mut() {
        last.outcome = outcome;
    }
    traces
}

fn outcome(dice: &mut Dice, model: Model) -> Option<Outcome> {
    let [resolved, escalated, unresolved] = if model == Model::Luna { OF_LUNA } else { OF_TERRA };
    let noted = [resolved, escalated, unresolved, 100 - resolved - escalated - unresolved];
    let outcomes = [Outcome::Resolved, Outcome::Escalated, Outcome::Unresolved];
    outcomes.get(pick(dice, &noted)).copied()
}

fn turn(dice: &mut Dice, time: &mut Timeline, model: Model, tokens: Tokens) -> Node {
    let start = time.now;
    time.pass(dice, 5, 60);
    let id = response_id(dice, "chatcmpl-");
    let mut children = vec![time.leaf(dice, Work::Search, 60, 300)];
    children.extend(time.call(dice, model, tokens, id, 2));
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
