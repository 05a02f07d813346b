//! Who uses the invented product: customers, their plans, and how unequal they are.
//!
//! The product is a helpdesk: a support chatbot on a monthly fee, document summaries on a usage plan, and an insights
//! agent that was opened to the free plan on the twelfth of the month.

use super::shapes::{Dice, pick};

/// How a customer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// A fee a month.
    Team,
    /// A fee a year.
    Annual,
    /// A price per document.
    Metered,
    /// Nothing.
    Free,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) plan: Plan,
}

/// The customer whose usage dwarfs its flat fee.
pub(super) const WHALE: &str = "redwood-retail";
/// Pays and uses nothing.
pub(super) const IDLE: &str = "sycamore-studio";
/// Bought the insights agent as an add-on.
pub(super) const ADD_ON: [&str; 5] = [WHALE, "alder-bikes", "cedar-travel", "fir-logistics", "spruce-bank"];
/// Were answered by the cheap model only, and left.
pub(super) const LEFT: [&str; 2] = ["juniper-books", "larch-energy"];
/// Their last day.
pub(super) const LEFT_ON: u64 = 17;
/// Day of the month on which the free plan got the insights agent.
pub(super) const FREE_INSIGHTS_FROM: u64 = 12;

const TEAM: [&str; 12] = [
    WHALE,
    "alder-bikes",
    "birch-dental",
    "cedar-travel",
    "elm-insurance",
    "fir-logistics",
    "hazel-hotels",
    "juniper-books",
    "larch-energy",
    "maple-sports",
    "oak-furniture",
    "pine-pharmacy",
];
const ANNUAL: [&str; 2] = ["spruce-bank", "willow-airlines"];
const METERED: [&str; 8] = [
    "aspen-law",
    "beech-notaries",
    "cypress-claims",
    "hemlock-audit",
    "laurel-realty",
    "magnolia-clinic",
    "olive-freight",
    "poplar-hr",
];
const FREE: u64 = 24;

/// Every customer who uses something.
pub(super) fn customers() -> Vec<Customer> {
    let on = |plan: Plan, ids: &[&str]| {
        ids.iter()
            .map(|id| Customer {
                id: (*id).to_owned(),
                plan,
            })
            .collect::<Vec<_>>()
    };
    let mut all = on(Plan::Team, &TEAM);
    all.extend(on(Plan::Annual, &ANNUAL));
    all.extend(on(Plan::Metered, &METERED));
    all.extend((1..=FREE).map(|number| Customer {
        id: format!("free-{number:03}"),
        plan: Plan::Free,
    }));
    all
}

/// Customers of one feature with their weights.
#[derive(Debug)]
pub(super) struct Users {
    customers: Vec<Customer>,
    weights: Vec<u64>,
}

impl Users {
    /// Everybody to whom `share` gives a part of the traffic. Within a plan the parts fall as one over the rank, as they
    /// do in practice.
    pub(super) fn of(share: impl Fn(&Customer) -> Option<u64>) -> Users {
        let mut users = Users {
            customers: Vec::new(),
            weights: Vec::new(),
        };
        let mut ranks = [0; 4];
        for customer in customers() {
            let Some(share) = share(&customer) else { continue };
            let rank = &mut ranks[customer.plan as usize];
            *rank += 1;
            users.weights.push(share * 1000 / *rank);
            users.customers.push(customer);
        }
        users
    }

    /// Somebody.
    pub(super) fn pick(&self, dice: &mut Dice) -> &Customer {
        &self.customers[pick(dice, &self.weights)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn customers_are_named_once_and_the_special_ones_exist() {
        let all = customers();
        let ids: BTreeSet<&str> = all.iter().map(|customer| customer.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        assert!(ADD_ON.iter().all(|id| ids.contains(id)));
        assert!(!ids.contains(IDLE));
        assert!(LEFT.iter().all(|id| ids.contains(id)));
    }
}
