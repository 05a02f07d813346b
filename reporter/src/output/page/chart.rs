//! Charts as SVG text, drawn with integers and coloured by the page's style.
//!
//! They are as wide as the page: positions are shares of the width, while text and lines keep their size, so that a phone
//! shows the same picture. Bars stand in the rows of a table that says what they show; the chart of days has a title, a
//! description and a table below it.

use std::fmt::Write;

use super::super::display::money;
use super::escape;
use crate::revenue::Amount;

/// A share of the width: hundredths of a percent, so that no coordinate needs a float.
const WIDTH: i128 = 10_000;
/// Ticks of an axis at most, and days named below the chart.
const TICKS: i128 = 4;
const DAYS_NAMED: usize = 6;

/// Bars of several rows over one scale.
pub(super) struct Bars {
    low: i128,
    high: i128,
}

impl Bars {
    /// A scale on which all amounts have room.
    pub(super) fn over(amounts: impl IntoIterator<Item = Amount>) -> Bars {
        let (mut low, mut high) = (0, 0);
        for amount in amounts {
            low = low.min(amount.scaled());
            high = high.max(amount.scaled());
        }
        Bars {
            low,
            high: high.max(low + 1),
        }
    }

    /// A bar between two amounts, with the line of zero.
    pub(super) fn bar(&self, class: &str, from: Amount, to: Amount) -> String {
        let (from, to) = (self.at(from), self.at(to));
        let (left, width) = (from.min(to), (from - to).abs().max(30));
        let zero = self.at(Amount::ZERO);
        format!(
            "<svg class=\"bar\" aria-hidden=\"true\" width=\"100%\" height=\"16\"><line x1=\"{zero}\" x2=\"{zero}\" y1=\"0\" y2=\"16\"/><rect class=\"{class}\" x=\"{}\" y=\"2\" width=\"{}\" height=\"12\" rx=\"1.5\"/></svg>",
            share(left.min(WIDTH - 30)),
            share(width),
            zero = share(zero),
        )
    }

    fn at(&self, amount: Amount) -> i128 {
        part(amount.scaled() - self.low, self.high - self.low, WIDTH)
    }
}

/// Revenue as a line over bars of cost.
pub(super) struct DailyChart<'a> {
    pub(super) currency: &'a str,
    /// Day, revenue, cost.
    pub(super) days: Vec<(&'a str, Amount, Amount)>,
}

impl DailyChart<'_> {
    pub(super) fn svg(&self) -> String {
        let (top, bottom, height) = (18, 214, 240);
        let amounts = || {
            self.days
                .iter()
                .flat_map(|(_, revenue, cost)| [revenue.scaled(), cost.scaled()])
        };
        let (low, high) = (amounts().min().unwrap_or(0).min(0), amounts().max().unwrap_or(0).max(1));
        let step = nice_step(high - low);
        let (low, high) = (low.div_euclid(step) * step, (high + step - 1).div_euclid(step) * step);
        // Tenths of a pixel from the top.
        let y = |amount: i128| bottom * 10 - part(amount - low, high - low, (bottom - top) * 10);
        let mut svg = format!(
            "<svg class=\"days\" role=\"img\" width=\"100%\" height=\"{height}\"><title>Revenue and cost by day</title><desc>Bars are the cost of goods sold, the line is revenue, in {}.</desc>",
            escape(self.currency)
        );
        let mut tick = low;
        while tick <= high {
            let at = tenths(y(tick));
            let class = if tick == 0 { "zero" } else { "grid" };
            let _ = write!(svg, "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{at}\" y2=\"{at}\"/>");
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"0\" y=\"{}\">{}</text>",
                tenths(y(tick) - 40),
                escape(&without_cents(money(Amount::from_scaled(tick), self.currency)))
            );
            tick += step;
        }
        let slot = WIDTH / self.days.len().max(1) as i128;
        let (zero, mut points) = (y(0), String::new());
        let every = self.days.len().div_ceil(DAYS_NAMED).max(1);
        for (index, (day, revenue, cost)) in self.days.iter().enumerate() {
            let (left, cost_y) = (slot * index as i128, y(cost.scaled()));
            let _ = write!(
                svg,
                "<rect class=\"cost\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{day}: revenue {}, cost {}</title></rect>",
                share(left + slot / 8),
                tenths(zero.min(cost_y)),
                share(slot * 3 / 4),
                tenths((zero - cost_y).abs()),
                money(*revenue, self.currency),
                money(*cost, self.currency),
            );
            let _ = write!(points, "{},{} ", left + slot / 2, y(revenue.scaled()));
            if index % every == 0 {
                let _ = write!(
                    svg,
                    "<text class=\"tick day\" x=\"{}\" y=\"{}\">{}</text>",
                    share(left + slot / 2),
                    height - 8,
                    &day[5..]
                );
            }
        }
        // The line lives in a square of its own that is stretched; its stroke is not.
        let _ = write!(
            svg,
            "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {}\" preserveAspectRatio=\"none\"><polyline class=\"revenue\" vector-effect=\"non-scaling-stroke\" points=\"{}\"/></svg>",
            height * 10,
            points.trim_end()
        );
        svg + "</svg>"
    }
}

/// `part / whole` of `length`.
fn part(part: i128, whole: i128, length: i128) -> i128 {
    // Millionths are finer than any screen, and their product with a length fits.
    let unit = (whole / 1_000_000).max(1);
    (part / unit) * length / (whole / unit).max(1)
}

/// 1, 2 or 5 times a power of ten, at most `TICKS` to the range.
fn nice_step(range: i128) -> i128 {
    let mut step = 1;
    loop {
        for times in [1, 2, 5] {
            if range / (step * times) < TICKS {
                return step * times;
            }
        }
        step *= 10;
    }
}

fn without_cents(text: String) -> String {
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

/// Hundredths of a percent.
fn share(hundredths: i128) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn tenths(tenths: i128) -> String {
    let (sign, tenths) = if tenths < 0 { ("-", -tenths) } else { ("", tenths) };
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (range, expected) in [(1, 1), (4, 2), (9, 5), (35, 10), (81, 50), (1_000, 500), (7_999, 2_000)] {
            assert_eq!(nice_step(range), expected, "{range}");
        }
    }

    #[test]
    fn a_bar_lies_between_its_amounts_and_is_never_invisible() {
        let bars = Bars::over([Amount::from_scaled(-100), Amount::from_scaled(300)]);
        let bar = bars.bar("loss", Amount::ZERO, Amount::from_scaled(-100));
        assert!(bar.contains("x=\"0.00%\"") && bar.contains("width=\"25.00%\""), "{bar}");
        assert!(bars.bar("gain", Amount::ZERO, Amount::ZERO).contains("width=\"0.30%\""));
    }
}
