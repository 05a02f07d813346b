//! Tests over whole records: real captures, the vectors of the conventions, and properties on hostile input.

mod corpus;
mod document;
mod properties;
mod single_keys;
mod vectors;
