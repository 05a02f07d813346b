#!/usr/bin/env bash
# The promises of ARCHITECTURE.md that a machine can keep: who may depend on whom.
set -euo pipefail
cd "$(dirname "$0")/.."

must_not_depend() { # crate, forbidden package, reason
  if cargo tree --locked --edges normal --package "$1" --invert "$2" >/dev/null 2>&1; then
    echo "layer broken: $1 depends on $2 ($3)" >&2
    exit 1
  fi
}

must_not_depend marginlake-pricing tokio "prices are pure: no async"
must_not_depend marginlake-pricing arrow "prices know no tables"
must_not_depend marginlake-pricing marginlake-lake "prices know nothing of ours"
must_not_depend marginlake-lake marginlake-pricing "the lake knows no prices"
must_not_depend marginlake-lake marginlake-collector "the lake is below the collector"
must_not_depend marginlake-lake marginlake-reporter "the lake is below the reporter"
must_not_depend marginlake-lake opentelemetry-proto "the lake knows no OTLP"
must_not_depend marginlake-collector marginlake-reporter "collector and reporter meet only in the lake"
must_not_depend marginlake-reporter marginlake-collector "collector and reporter meet only in the lake"
must_not_depend marginlake-reporter opentelemetry-proto "the reporter knows no OTLP"
echo "layers hold"
