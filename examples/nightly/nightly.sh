#!/bin/sh
# The nightly job: settle what arrived, join revenue, publish the margins. Called by cron or by the systemd timer beside it.
#
# Safe to run at any time and again: the same inputs give the same files, and a day that is run again is replaced, not added.
# Exit codes: 0 done; 1 failed while running; 2 wrong arguments or configuration; 3 a threshold that you set was crossed.
set -eu

lake=${MARGINLAKE_LAKE:-/var/lib/marginlake/lake}
revenue=${MARGINLAKE_REVENUE_DIR:-/var/lib/marginlake/revenue}
out=${MARGINLAKE_REPORT_DIR:-/var/lib/marginlake/report}

# A lake that is not there would be made, empty, and an empty report would look like a quiet day.
[ -d "$lake/spans" ] || { echo "error: no spans in the lake $lake: is MARGINLAKE_LAKE right, and is collect running?" >&2; exit 2; }

# Fetch your billing export here; whole months, since a report spreads revenue over the days of its period. For example:
#   curl --fail --silent --show-error --output "$revenue/revenue.csv" "https://billing.example/exports/revenue.csv"

# The report settles first. Settling alone is cheap and can run every few minutes, for fresh `calls` in SQL:
#   marginlake settle --lake "$lake"
#
# --yesterday: the 28 days that end yesterday (UTC; --days for more), named as of midnight, so that a second run today writes
# the same bytes. What came late for any of these days restates it.
# --out is swapped by one rename: whoever reads the page sees yesterday's or today's, never half of each.
exec marginlake report \
    --lake "$lake" \
    --revenue "$revenue/revenue.csv" \
    --yesterday \
    --out "$out"
