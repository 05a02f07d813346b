# What CI runs, recipe by recipe; `just ci` is all of it.
ci:
    .ci/run

fmt:
    cargo fmt --all

lint:
    cargo clippy --workspace --all-targets -- --deny warnings

# One crate's tests: `just test settle`. Selecting a package with -p would compile DataFusion again with other features.
test filter="":
    cargo test --workspace -- {{filter}}

layers:
    ci/layers.sh

doc:
    RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps

deny:
    cargo deny check

# The kill harness at length: a collector under load, the night and maintenance, each killed so many times.
kills count="200" seed="6":
    MARGINLAKE_KILLS={{count}} MARGINLAKE_SEED={{seed}} cargo test --workspace --test e2e -- kills:: night:: --nocapture
