//! Rule N4 and the output side of N5: does the output include reasoning.

use super::input::{About, count};
use crate::recognise::profile::OutputMode;
use crate::recognise::provider::is_google;
use crate::recognise::reported::{Proof, Reported};
use crate::recognise::{Flag, Flags};

/// The output, divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) text: Option<i64>,
    pub(super) reasoning: Option<i64>,
    pub(super) audio: Option<i64>,
    pub(super) image: Option<i64>,
    /// All of it.
    pub(super) full: Option<i64>,
    pub(super) inferred: bool,
    pub(super) inconsistent: bool,
}

/// `full_input` is the inclusive input, for what the total proves.
pub(super) fn divide(reported: &Reported, full_input: Option<i64>, about: About<'_>, flags: &mut Flags) -> Output {
    let (audio, image) = (reported.output_audio, reported.output_image);
    let Some(output) = reported.output else {
        return Output {
            reasoning: reported.reasoning,
            audio,
            image,
            ..Output::default()
        };
    };
    let plain = full_input.map(|input| i128::from(input) + i128::from(output));
    let total = reported.total.map(i128::from);
    let mut inferred = false;
    let mut reasoning = reported.reasoning;
    let beside = match reasoning {
        Some(reasoning) => {
            let proven = reasoning > output
                || reasoning > 0 && total.is_some() && total == plain.map(|plain| plain + i128::from(reasoning));
            proven || stands_beside(reported, total.is_some() && total == plain, about)
        }
        None => {
            let gap = plain.zip(total).map(|(plain, total)| total - plain).filter(|gap| *gap > 0);
            let raw = about.profile.output != OutputMode::Inside && is_google(about.provider);
            if let Some(gap) = gap.filter(|_| raw).and_then(count) {
                flags.set(Flag::InferredReasoning);
                inferred = true;
                reasoning = Some(gap);
            }
            inferred
        }
    };
    let modal = i128::from(audio.unwrap_or(0)) + i128::from(image.unwrap_or(0));
    let thinking = i128::from(reasoning.unwrap_or(0));
    let disjoint = reported.proof == Some(Proof::Disjoint);
    let readings = [
        // Text, and all of the output.
        (i128::from(output) - thinking - modal, i128::from(output)),
        (i128::from(output) - modal, i128::from(output) + thinking),
        (i128::from(output), i128::from(output) + thinking + modal),
    ];
    let chosen = if disjoint {
        2
    } else if beside {
        1
    } else {
        0
    };
    let solved = [readings[chosen], readings[if chosen == 0 { 1 } else { chosen }]]
        .into_iter()
        .enumerate()
        .find_map(|(turn, (text, full))| Some((turn, count(text)?, count(full)?)));
    match solved {
        Some((turn, text, full)) => {
            if turn > 0 {
                flags.set(Flag::ProfileConflict);
            }
            Output {
                text: Some(text),
                reasoning,
                audio,
                image,
                full: Some(full),
                inferred,
                inconsistent: false,
            }
        }
        None => {
            flags.set(Flag::Inconsistent);
            Output {
                text: Some(output),
                full: Some(output),
                inconsistent: true,
                ..Output::default()
            }
        }
    }
}

/// Whether reasoning stands beside the output, where its size proves nothing.
fn stands_beside(reported: &Reported, total_is_plain: bool, about: About<'_>) -> bool {
    if reported.reasoning_beside {
        return true;
    }
    match about.profile.output {
        OutputMode::Inside => false,
        OutputMode::Beside => true,
        // A provider's own total that leaves no room for reasoning beside the output.
        OutputMode::Unknown | OutputMode::Raw if total_is_plain => false,
        OutputMode::Unknown => is_beside_by_provider(about),
        OutputMode::Raw => is_beside_by_provider(about) || is_google(about.provider),
    }
}

fn is_beside_by_provider(about: About<'_>) -> bool {
    match about.provider {
        Some("x_ai") => true,
        Some("perplexity") => about.model.is_some_and(|model| model.contains("deep-research")),
        _ => false,
    }
}
