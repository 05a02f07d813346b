//! A clock that runs along while a trace is made, and the time that model calls take.

use rand::Rng;

use crate::demo::month::{END, Nanos, SECOND};
use crate::demo::shapes::{Dice, happens};
use crate::demo::work::{Answer, Model, Node, Tokens, Trace, Work};

const MILLISECOND: Nanos = 1_000_000;

/// Where a trace is in time.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) now: Nanos,
}

impl Timeline {
    /// Lets between `from` and `to` milliseconds pass.
    pub(super) fn pass(&mut self, dice: &mut Dice, from: u64, to: u64) {
        self.now += dice.random_range(from * MILLISECOND..to * MILLISECOND);
    }

    /// A node without children that takes between `from` and `to` milliseconds.
    pub(super) fn leaf(&mut self, dice: &mut Dice, work: Work, from: u64, to: u64) -> Node {
        let start = self.now;
        self.pass(dice, from, to);
        Node {
            work,
            start,
            end: self.now,
            children: Vec::new(),
        }
    }

    /// A call, now and then after a refusal: the client of the model waits two seconds and tries again.
    pub(super) fn call(
        &mut self,
        dice: &mut Dice,
        model: Model,
        tokens: Tokens,
        response_id: String,
        refused_percent: u64,
    ) -> Vec<Node> {
        let mut attempts = Vec::new();
        while attempts.len() < 2 && happens(dice, refused_percent) {
            attempts.push(self.leaf(
                dice,
                Work::Call {
                    model,
                    answer: Answer::TooManyRequests,
                },
                80,
                400,
            ));
            self.pass(dice, 2000, 2600);
        }
        // Prompts are read at some 8,000 tokens a second, answers are written at some 70.
        let (reading, writing) = (tokens.input() / 8, tokens.output() * 14);
        let least = 250 + reading + writing;
        let answer = Answer::Given { tokens, response_id };
        attempts.push(self.leaf(dice, Work::Call { model, answer }, least, least + 200 + least / 4));
        attempts
    }
}

/// A session that would end after the month began earlier.
pub(super) fn keep_in_month(traces: &mut [Trace]) {
    let Some(end) = traces.iter().map(|trace| trace.root.end).max() else {
        return;
    };
    if end >= END {
        let by = end - END + SECOND;
        traces.iter_mut().for_each(|trace| trace.root.shift_back(by));
    }
}
