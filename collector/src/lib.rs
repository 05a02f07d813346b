//! OTLP in, recognised, normalised and priced spans in the lake.
