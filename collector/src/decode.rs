//! A logged request as rows: the stages from the wire to the columns, span by span.

use std::sync::Arc;

use marginlake_pricing::Catalogue;

use crate::columns::{Columns, Rows};
use crate::price::Pricer;
use crate::receive::{as_protobuf, id_fault, inflate};
use crate::recognise::{Recogniser, ScopeContext};
use crate::clock;
use crate::wal::{Entry, Signal};
use crate::wire::logs::{LogRecord, resource_logs};
use crate::wire::traces::{ResourceGroup, ScopeGroup, Span, resource_spans};
