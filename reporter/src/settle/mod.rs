//! Settle: which records of `spans` are billable calls, each exactly once.
//!
//! A pure function over records ([`settle`]) and a driver over the lake. The rules are one file each and run in the
//! order of [`settle_component`]; `docs/` and `conventions.md` name them B1 to B10. Every record that carries usage
//! or claims to be a call ends as one row of `calls` or of `calls_excluded`, with its reason. Settle reads no
//! attributes (the collector has), knows no revenue, and computes no price but where it changes usage.

mod aggregate;
mod ancestry;
mod attribution;
pub mod call;
mod case;
pub mod component;
mod cumulative;
pub mod decode;
pub mod driver;
pub mod encode;
pub mod explain;
mod identity;
mod matching;
pub(crate) mod plan;
mod previous;
pub mod price;
pub mod reason;
pub mod record;
mod redelivery;
pub(crate) mod rows;
pub mod rules;
mod signals;
mod survivor;
mod tree;
mod unbilled;
pub mod unrecognised;
mod usage;
mod verdict;

#[cfg(test)]
pub(crate) mod tests;

pub use call::{Call, Excluded, Settled};
pub use cumulative::{NoCatalogue, Reprice};
pub use price::CataloguePricer;
pub use record::Record;
pub use rules::Rules;

use case::Case;

/// Settles a set of records. The same records give the same rows in any order, with any copies, in any batches.
pub fn settle(records: Vec<Record>, pricer: &dyn Reprice) -> Settled {
    settle_by_rules(records, pricer, &Rules::default())
}

/// [`settle`] with the user's rules about costs and customers.
pub fn settle_by_rules(records: Vec<Record>, pricer: &dyn Reprice, rules: &Rules) -> Settled {
    let mut settled = Settled::default();
    for component in component::split(records) {
        settle_component(component, pricer, rules, &mut settled);
    }
    settled.calls.sort_unstable();
    settled.excluded.sort_unstable();
    settled
}

/// Settles the records of one connected component.
fn settle_component(records: Vec<Record>, pricer: &dyn Reprice, rules: &Rules, settled: &mut Settled) {
    let (records, copies) = redelivery::merge(records)
        .into_iter()
        .map(|one| (one.record, one.copies))
        .unzip();
    let mut case = Case::new(records);
    cumulative::resolve(&mut case, pricer);
    signals::join(&mut case);
    identity::join(&mut case);
    ancestry::judge(&mut case);
    matching::join(&mut case);
    unbilled::judge(&mut case);
    aggregate::judge(&mut case);
    verdict::write(&case, copies, rules, settled);
}
