//! What outsiders and broken disks can hand to a collector, as functions of bytes that must not panic, hang or grow without
//! bound. The sources are those of the product, taken in by path: the whole collector would bring DataFusion, and half an hour
//! of instrumented compiling, into a tool that is run for minutes.

#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

extern crate self as marginlake_lake;

#[path = "../../lake/src/failpoint.rs"]
pub mod failpoint;
#[path = "../../collector/src/wal/mod.rs"]
mod wal;
#[path = "../../collector/src/messages.rs"]
mod messages;
#[path = "../../collector/src/wire/mod.rs"]
mod wire;
#[path = "../../collector/src/wire/oracle.rs"]
mod oracle;

mod receive;
pub mod targets;
