#!/bin/sh
# Runs the app against its stand-in and sends its telemetry to a marginlake that is already collecting:
#
#   marginlake collect --lake /tmp/lake        (in another terminal)
#   ./run.sh
#
# Needs Node.js 20 or newer. The first run installs the packages beside this file.
set -eu
cd "$(dirname "$0")"

if [ ! -d node_modules ]; then
    npm ci --no-audit --no-fund --loglevel=error
fi

# The model API: the stand-in prints its address on its first line.
address_file=$(mktemp)
node stand-in.mjs > "$address_file" &
stand_in=$!
trap 'kill "$stand_in" 2>/dev/null; rm -f "$address_file"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$address_file" ] && break
    sleep 0.25
done
OPENAI_BASE_URL=$(head -n 1 "$address_file")
export OPENAI_BASE_URL
export OPENAI_API_KEY=not-needed

# This is all that points an app at marginlake. The exporter of telemetry.mjs speaks OTLP over HTTP: port 4318.
export OTEL_EXPORTER_OTLP_ENDPOINT="${OTEL_EXPORTER_OTLP_ENDPOINT:-http://127.0.0.1:4318}"
export OTEL_SERVICE_NAME="${OTEL_SERVICE_NAME:-shop-assistant}"

node app.mjs
echo "sent to $OTEL_EXPORTER_OTLP_ENDPOINT"
