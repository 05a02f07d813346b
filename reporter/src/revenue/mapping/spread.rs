//! Amounts of a whole document (a coupon on an invoice) taken off its lines in proportion, to the last digit.

use std::collections::BTreeMap;

use crate::allocate::largest_remainder;
use crate::revenue::line::{Kind, RevenueLine, Text};
use crate::revenue::money::Amount;

/// Takes each document's amount off its lines, by their positive amounts. What cannot be spread, for want of a line
/// that earns anything, is left and counted.
pub(crate) fn spread_documents(lines: &mut [RevenueLine], amounts: &BTreeMap<Text, Amount>) -> usize {
    let mut of_document: BTreeMap<&Text, Vec<usize>> = amounts.keys().map(|document| (document, Vec::new())).collect();
    for (index, line) in lines.iter().enumerate() {
        if matches!(line.meaning(), Kind::Cost | Kind::StoreFee) {
            continue;
        }
        if let Some(indices) = line.document.as_ref().and_then(|document| of_document.get_mut(document)) {
            indices.push(index);
        }
    }
    let mut left = 0;
    for (document, indices) in of_document {
        let weights: Vec<i128> = indices.iter().map(|index| lines[*index].amount.scaled().max(0)).collect();
        match largest_remainder::split(amounts[document], &weights) {
            Some(parts) => indices
                .iter()
                .zip(parts)
                .for_each(|(index, part)| lines[*index].amount += part),
            None => left += 1,
        }
    }
    left
}
