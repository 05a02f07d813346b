//! Charts as SVG text: bars and lines drawn with integers, coloured by the page's style, each with a title and a
//! description for readers who do not see it. The numbers stand in a table beside every chart.

use std::fmt::Write;

use super::display::money;
use crate::revenue::Amount;

/// Drawing units: tenths of a pixel, so that no coordinate needs a float.
const PX: i128 = 10;

/// Two series over the days of a report.
pub(super) struct DailyChart<'a> {
    pub(super) currency: &'a str,
    /// Day, revenue, cost.
    pub(super) days: Vec<(&'a str, Amount, Amount)>,
}

/// Bars left (loss) and right (gain) of a common line.
pub(super) struct BarChart<'a> {
    pub(super) title: &'a str,
    pub(super) currency: &'a str,
    pub(super) bars: Vec<(&'a str, Amount)>,
}

/// Steps from one figure to another.
pub(super) struct BridgeChart<'a> {
    pub(super) title: &'a str,
    pub(super) currency: &'a str,
    pub(super) start: (&'a str, Amount),
    pub(super) steps: Vec<(&'a str, Amount)>,
    pub(super) end: (&'a str, Amount),
}

impl DailyChart<'_> {
    /// Revenue as a line over bars of cost.
    pub(super) fn svg(&self) -> String {
        let (width, height, left, top, bottom) = (720 * PX, 240 * PX, 76 * PX, 14 * PX, 26 * PX);
        let scale = Scale::of(
            self.days.iter().flat_map(|(_, revenue, cost)| [*revenue, *cost]),
            top,
            height - bottom,
        );
        let slot = (width - left) / (self.days.len().max(1) as i128);
        let mut svg = open(
            720,
            240,
            "Revenue and cost by day",
            &format!("Bars are cost, the line is revenue, in {}.", self.currency),
        );
        scale.axis(&mut svg, left, width, self.currency);
        let mut points = String::new();
        for (index, (day, revenue, cost)) in self.days.iter().enumerate() {
            let x = left + slot * index as i128;
            let bar = scale.bar(*cost);
            rect(
                &mut svg,
                "cost",
                x + slot / 8,
                bar.0,
                (slot * 3 / 4).max(2),
                bar.1,
                &format!("{day}: cost {}", money(*cost, self.currency)),
            );
            let _ = write!(points, "{},{} ", px(x + slot / 2), px(scale.at(*revenue)));
            let every = (self.days.len() / 8).max(1);
            if index % every == 0 && x + 60 * PX <= width {
                text(&mut svg, "tick", x + slot / 2, height - 8 * PX, "middle", &day[5..]);
            }
        }
        let _ = write!(svg, "<polyline class=\"revenue\" points=\"{}\"/>", points.trim_end());
        svg + "</svg>"
    }
}

impl BarChart<'_> {
    /// One bar a key.
    pub(super) fn svg(&self) -> String {
        let (row, label, right) = (26 * PX, 190 * PX, 110 * PX);
        let (width, height) = (720 * PX, row * self.bars.len() as i128 + 8 * PX);
        let largest = self
            .bars
            .iter()
            .map(|(_, amount)| amount.scaled().abs())
            .max()
            .unwrap_or(0)
            .max(1);
        let any_loss = self.bars.iter().any(|(_, amount)| amount.is_negative());
        let room = width - label - right;
        let (zero, reach) = if any_loss {
            (label + room * 2 / 5, room * 2 / 5)
        } else {
            (label, room)
        };
        let gain_reach = if any_loss { room * 3 / 5 } else { reach };
        let mut svg = open(
            720,
            height / PX,
            self.title,
            &format!("One bar for each key, in {}; losses go left.", self.currency),
        );
        let scale = |amount: i128, reach: i128| {
            (amount / (largest / 1_000_000).max(1)) * reach / (largest / (largest / 1_000_000).max(1)).max(1)
        };
        for (index, (key, amount)) in self.bars.iter().enumerate() {
            let y = row * index as i128 + 4 * PX;
            let length = scale(amount.scaled().abs(), if amount.is_negative() { reach } else { gain_reach }).max(PX);
            let (class, x) = if amount.is_negative() {
                ("loss", zero - length)
            } else {
                ("gain", zero)
            };
            let value = money(*amount, self.currency);
            rect(
                &mut svg,
                class,
                x,
                y + 3 * PX,
                length,
                row - 8 * PX,
                &format!("{key}: {value}"),
            );
            text(&mut svg, "label", label - 10 * PX, y + 16 * PX, "end", &shorten(key, 26));
            let value_x = if amount.is_negative() { zero } else { zero + length };
            text(&mut svg, "value", value_x + 6 * PX, y + 16 * PX, "start", &value);
        }
        svg + "</svg>"
    }
}

impl BridgeChart<'_> {
    /// Start, steps and end side by side, each step hanging where the one before it ended.
    pub(super) fn svg(&self) -> String {
        let (width, height, left, top, bottom) = (720 * PX, 220 * PX, 76 * PX, 22 * PX, 30 * PX);
        let mut levels = vec![Amount::ZERO, self.start.1, self.end.1];
        let mut level = self.start.1;
        for (_, step) in &self.steps {
            level += *step;
            levels.push(level);
        }
        let scale = Scale::of(levels.iter().copied(), top, height - bottom);
        let slot = (width - left) / (self.steps.len() as i128 + 2);
        let mut svg = open(
            720,
            220,
            self.title,
            &format!("From {} to {}, in {}.", self.start.0, self.end.0, self.currency),
        );
        scale.axis(&mut svg, left, width, self.currency);
        let mut column = |index: i128, name: &str, class: &str, from: Amount, to: Amount, shown: &str| {
            let x = left + slot * index;
            let (high, low) = (scale.at(from).min(scale.at(to)), scale.at(from).max(scale.at(to)));
            rect(
                &mut svg,
                class,
                x + slot / 6,
                high,
                slot * 2 / 3,
                (low - high).max(PX),
                &format!("{name}: {shown}"),
            );
            text(&mut svg, "value", x + slot / 2, high - 5 * PX, "middle", shown);
            text(&mut svg, "tick", x + slot / 2, height - 10 * PX, "middle", name);
        };
        column(
            0,
            self.start.0,
            "cost",
            Amount::ZERO,
            self.start.1,
            &money(self.start.1, self.currency),
        );
        let mut level = self.start.1;
        for (index, (name, step)) in self.steps.iter().enumerate() {
            // More cost is bad: the colours are those of the margin.
            let class = if step.is_negative() { "gain" } else { "loss" };
            column(
                index as i128 + 1,
                name,
                class,
                level,
                level + *step,
                &super::display::signed_money(*step, self.currency),
            );
            level += *step;
        }
        column(
            self.steps.len() as i128 + 1,
            self.end.0,
            "cost",
            Amount::ZERO,
            self.end.1,
            &money(self.end.1, self.currency),
        );
        svg + "</svg>"
    }
}

/// Amounts to heights.
struct Scale {
    low: i128,
    high: i128,
    top: i128,
    bottom: i128,
}

impl Scale {
    fn of(amounts: impl Iterator<Item = Amount>, top: i128, bottom: i128) -> Scale {
        let (mut low, mut high) = (0, 0);
        for amount in amounts {
            low = low.min(amount.scaled());
            high = high.max(amount.scaled());
        }
        Scale {
            low,
            high: high.max(low + 1),
            top,
            bottom,
        }
    }

    fn at(&self, amount: Amount) -> i128 {
        let (range, above) = (self.high - self.low, amount.scaled() - self.low);
        // Millionths are finer than any screen, and their product with a height fits.
        let unit = (range / 1_000_000).max(1);
        self.bottom - (above / unit) * (self.bottom - self.top) / (range / unit).max(1)
    }

    fn bar(&self, amount: Amount) -> (i128, i128) {
        let (zero, at) = (self.at(Amount::ZERO), self.at(amount));
        (zero.min(at), (zero - at).abs())
    }

    fn axis(&self, svg: &mut String, left: i128, width: i128, currency: &str) {
        for value in [self.low, self.high].into_iter().chain((self.low < 0).then_some(0)) {
            let y = self.at(Amount::from_scaled(value));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
                px(left),
                px(y),
                px(width),
                px(y)
            );
            text(
                svg,
                "tick",
                left - 8 * PX,
                y + 4 * PX,
                "end",
                &money(Amount::from_scaled(value), currency),
            );
        }
    }
}

fn open(width: i128, height: i128, title: &str, description: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\"><title>{}</title><desc>{}</desc>",
        escape(title),
        escape(title),
        escape(description)
    )
}

fn rect(svg: &mut String, class: &str, x: i128, y: i128, width: i128, height: i128, hint: &str) {
    let _ = write!(
        svg,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
        px(x),
        px(y),
        px(width),
        px(height),
        escape(hint)
    );
}

fn text(svg: &mut String, class: &str, x: i128, y: i128, anchor: &str, words: &str) {
    let _ = write!(
        svg,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
        px(x),
        px(y),
        escape(words)
    );
}

fn px(tenths: i128) -> String {
    let (sign, tenths) = if tenths < 0 { ("-", -tenths) } else { ("", tenths) };
    match tenths % PX {
        0 => format!("{sign}{}", tenths / PX),
        rest => format!("{sign}{}.{rest}", tenths / PX),
    }
}

fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

/// Text that comes from outside, for HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && c != '\n' => {}
            c => escaped.push(c),
        }
    }
    escaped
}
