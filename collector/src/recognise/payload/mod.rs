//! Usage and ids inside text attributes: provider responses, raw usage objects, `repr` of dictionaries.
//!
//! Only numbers of a usage object, a response id, a model and a service tier are taken; content is dropped here.
//! Inputs are never read: a prompt may quote usage, and later messages repeat that of earlier calls.

pub(crate) mod response;
pub(crate) mod scan;
pub(crate) mod usage;
