//! What the crate promises, from the outside. One binary, one file per promise.

mod catalogue;
mod differential;
mod fixtures;
mod overrides;
mod properties;
mod sample;
mod worked;
