#!/bin/sh
# Runs the app against its stand-in and sends its telemetry to a marginlake that is already collecting:
#
#   marginlake collect --lake /tmp/lake        (in another terminal)
#   ./run.sh
#
# Needs python3 (3.10 or newer). The first run makes a virtual environment beside this file.
# REQUIREMENTS=requirements-openai-v2.txt ./run.sh takes the older instrumentation.
set -eu
cd "$(dirname "$0")"

requirements=${REQUIREMENTS:-requirements.txt}
venv=.venv/${requirements%.txt}
if [ ! -e "$venv/installed" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    touch "$venv/installed"
fi

# The model API: the stand-in prints its address on its first line.
address_file=$(mktemp)
"$venv/bin/python" stand_in.py > "$address_file" &
stand_in=$!
trap 'kill "$stand_in" 2>/dev/null; rm -f "$address_file"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$address_file" ] && break
    sleep 0.25
done
OPENAI_BASE_URL=$(head -n 1 "$address_file")
export OPENAI_BASE_URL
export OPENAI_API_KEY=not-needed

# This is all that points an app at marginlake. The variables are those of the OpenTelemetry specification.
export OTEL_EXPORTER_OTLP_ENDPOINT="${OTEL_EXPORTER_OTLP_ENDPOINT:-http://127.0.0.1:4318}"
# 4318 is OTLP over HTTP, 4317 is gRPC: the port and the protocol go together.
export OTEL_EXPORTER_OTLP_PROTOCOL="${OTEL_EXPORTER_OTLP_PROTOCOL:-http/protobuf}"
export OTEL_SERVICE_NAME="${OTEL_SERVICE_NAME:-support-app}"
# Present conventions rather than those of early 2025. Only the older instrumentation asks for it.
export OTEL_SEMCONV_STABILITY_OPT_IN="${OTEL_SEMCONV_STABILITY_OPT_IN:-gen_ai_latest_experimental}"

"$venv/bin/opentelemetry-instrument" "$venv/bin/python" app.py
echo "sent to $OTEL_EXPORTER_OTLP_ENDPOINT"
