//! The real binary, real wire traffic, a real lake: what a user relies on, to the last digit.
//!
//! Everything here listens on loopback port 0 and writes to temporary folders.

mod bad_input;
mod collect;
mod cost_rules;
mod crash;
mod documents;
mod edge;
mod explain;
mod finops;
mod forward;
mod kills;
mod night;
mod otlp;
mod outage;
mod report;
mod rivals;
mod second_engine;
mod secure;
mod support;
mod truth;
mod unrecognised;
mod vectors;
mod yesterday;
