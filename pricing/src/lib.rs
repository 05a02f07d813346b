//! Exact, dated and explained prices of LLM usage. Pure: no async, no network, no clock.
