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
