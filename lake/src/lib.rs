//! The tables of the lake: schemas, names, open, append once, compact, vacuum.
