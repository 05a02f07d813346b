//! How large requests, answers and pauses are: quantiles of two public traces, and sampling from them.
//!
//! Only counts and quantiles were taken, no rows. Sources, both named in NOTICE:
//! - Mooncake, `FAST25-release/traces/conversation_trace.jsonl` of kvcache-ai/Mooncake at 3b5a5941 (Apache-2.0):
//!   12,031 requests of one hour of a chat service. Requests that share a prefix beyond the first 512-token block
//!   are one session: 7,373 sessions, of which the most expensive 1, 5 and 10 % make 15, 35 and 49 % of the cost
//!   at $2.50 and $10 per million tokens.
//! - `AzureLLMInferenceTrace_{conv,code}.csv` of Azure/AzurePublicDataset at b469a113 (CC-BY 4.0; Patel et al.,
//!   "Splitwise", ISCA 2024): 19,366 chat and 8,819 code requests of one hour.
//!
//! Sampling is integer arithmetic over a named generator, so that every machine makes the same month.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The generator of the demo; its sequence is fixed for a seed, on every machine and in every release.
pub(super) type Dice = ChaCha8Rng;

/// Dice for one part of the demo: parts do not move each other's numbers.
pub(super) fn dice(part: u64) -> Dice {
    Dice::seed_from_u64(0x006d_6172_6769_6e00 + part)
}

/// Positions of a shape's points, in thousandths.
const AT: [u64; 17] = [
    0, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950, 980, 990, 995, 999, 1000,
];

/// A distribution by its quantiles at [`AT`], linear between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape([u64; AT.len()]);

/// Input tokens of a session's first request (Mooncake).
pub(super) const FIRST_INPUT: Shape = Shape([
    891, 897, 905, 1092, 1756, 3914, 5264, 7417, 10775, 15871, 25561, 38538, 67212, 89869, 111_800, 121_471, 126_195,
]);

/// Input tokens that a session's next request has more than the one before (Mooncake; shrinking histories are cut).
pub(super) const GROWTH: Shape = Shape([
    10, 20, 60, 117, 267, 369, 455, 547, 701, 1540, 4633, 7461, 12144, 17472, 22493, 41707, 43110,
]);

/// Output tokens of a chat request (Mooncake).
pub(super) const CHAT_OUTPUT: Shape = Shape([
    1, 10, 24, 100, 213, 291, 350, 399, 447, 504, 597, 698, 893, 1120, 1570, 2000, 2000,
]);

/// Requests of a session (Mooncake).
pub(super) const TURNS: Shape = Shape([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 8, 10, 17, 43]);

/// Seconds between two requests of a session (Mooncake).
pub(super) const PAUSE_SECONDS: Shape = Shape([
    5, 29, 42, 59, 75, 95, 122, 161, 222, 317, 480, 615, 1032, 1481, 1908, 2666, 2700,
]);

/// Input tokens of a code request (Azure): here what a tool or a document's page brings.
pub(super) const PAGE_INPUT: Shape = Shape([
    3, 75, 147, 385, 770, 1075, 1469, 1909, 2433, 3193, 5194, 7315, 7436, 7436, 7436, 7437, 7437,
]);

/// Output tokens of a code request (Azure): short, structured answers.
pub(super) const SHORT_OUTPUT: Shape = Shape([6, 6, 7, 8, 9, 11, 13, 16, 20, 29, 55, 90, 172, 252, 361, 831, 1899]);

/// Output tokens of a chat request (Azure): here summaries.
pub(super) const SUMMARY_OUTPUT: Shape = Shape([7, 41, 54, 77, 91, 103, 129, 177, 384, 400, 424, 451, 540, 601, 644, 954, 1000]);

impl Shape {
    /// One value.
    pub(super) fn sample(&self, dice: &mut Dice) -> u64 {
        self.at(dice.random_range(0..1_000_000))
    }

    /// The quantile at `millionths`.
    fn at(&self, millionths: u64) -> u64 {
        let right = AT.partition_point(|at| at * 1000 <= millionths).min(AT.len() - 1);
        let (from, to) = (AT[right - 1] * 1000, AT[right] * 1000);
        let (low, high) = (self.0[right - 1], self.0[right]);
        low + (high - low) * (millionths.min(to) - from) / (to - from)
    }
}

/// Whether something that happens `percent` times in a hundred happens now.
pub(super) fn happens(dice: &mut Dice, percent: u64) -> bool {
    dice.random_range(0..100) < percent
}

/// An index, the more likely the greater its weight.
pub(super) fn pick(dice: &mut Dice, weights: &[u64]) -> usize {
    let mut rest = dice.random_range(0..weights.iter().sum());
    for (index, weight) in weights.iter().enumerate() {
        if rest < *weight {
            return index;
        }
        rest -= weight;
    }
    unreachable!("the rest is below the sum of the weights")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_the_quantiles_it_was_made_from() {
        let mut dice = dice(1);
        let mut sampled: Vec<u64> = (0..40_000).map(|_| FIRST_INPUT.sample(&mut dice)).collect();
        sampled.sort_unstable();
        for (permille, expected) in [(500, 5264), (900, 25561), (990, 89869)] {
            let found = sampled[sampled.len() * permille / 1000];
            assert!(
                found.abs_diff(expected) * 20 < expected,
                "p{permille}: {found} is not {expected}"
            );
        }
        assert!((891..=126_195).contains(&sampled[0]));
    }

    #[test]
    fn shapes_never_decrease() {
        for shape in [
            FIRST_INPUT,
            GROWTH,
            CHAT_OUTPUT,
            TURNS,
            PAUSE_SECONDS,
            PAGE_INPUT,
            SHORT_OUTPUT,
            SUMMARY_OUTPUT,
        ] {
            assert!(shape.0.is_sorted(), "{shape:?}");
            assert_eq!(shape.at(0), shape.0[0]);
            assert_eq!(shape.at(1_000_000), shape.0[16]);
        }
    }

    #[test]
    fn the_dice_are_the_same_on_every_machine() {
        let mut dice = dice(7);
        let rolled: Vec<u64> = (0..4).map(|_| dice.random_range(0..1_000_000)).collect();
        assert_eq!(rolled, ROLLED);
    }

    const ROLLED: [u64; 4] = [614_186, 225_028, 985_630, 888_379];
}
