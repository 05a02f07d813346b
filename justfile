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

# Licences, advisories, sources, bans (deny.toml); needs the advisory database: cargo install --locked cargo-deny
deny:
    cargo deny check

# Advisories alone; cargo install --locked cargo-audit
audit:
    cargo audit

# The real exporters of Python, Node.js, Java, Rust and Go against a collector; downloads their packages.
sdks *languages:
    ci/sdks.sh {{languages}}

# The kill harness at length: a collector under load, the night and maintenance, each killed so many times.
kills count="200" seed="6":
    MARGINLAKE_KILLS={{count}} MARGINLAKE_SEED={{seed}} cargo test --workspace --test e2e -- kills:: night:: --nocapture

# Fuzz targets, each for so many seconds, from the recorded bodies on. Needs a nightly toolchain and `cargo install cargo-fuzz`.
fuzz seconds="60":
    for target in wire json inflate log; do \
        mkdir -p fuzz/corpus/$target && \
        cargo +nightly fuzz run $target fuzz/corpus/$target tests/fixtures/corpus -- -max_total_time={{seconds}} -rss_limit_mb=1024 -timeout=10 || exit 1; \
    done
