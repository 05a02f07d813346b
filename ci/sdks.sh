#!/usr/bin/env bash
# The real OTLP exporters of several languages against a collector: ci/sdks.sh [python nodejs java go otelcol]
# Each program under ci/sdks/ ends one span of a call through the exporter that its argument names; then the lake is asked.
# Downloads packages, so it runs by name and not in CI. MARGINLAKE names the binary; a release build is made without it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
languages=${*:-python nodejs java rust go otelcol}
if [ -z "${MARGINLAKE:-}" ]; then
  cargo build --release --locked
  MARGINLAKE=${CARGO_TARGET_DIR:-target}/release/marginlake
fi
work=$(mktemp -d)
"$MARGINLAKE" collect --lake "$work/lake" --grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0 >"$work/ready" 2>"$work/log" &
collector=$!
trap 'kill $collector 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -q ready "$work/ready"; do
  kill -0 $collector || { cat "$work/log"; exit 1; }
  sleep 0.1
done
grpc=http://$(sed 's/.*grpc=\([^ ]*\).*/\1/' "$work/ready")
http=http://$(sed 's/.*http=\([^ ]*\).*/\1/' "$work/ready")

# once NAME PROTOCOL ENDPOINT COMPRESSION COMMAND...: one run of one exporter, with the variables of the specification.
once() {
  local name=$1 protocol=$2 endpoint=$3 compression=$4
  shift 4
  echo "$name" >>"$work/expected"
  OTEL_SERVICE_NAME=$name OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_EXPORTER_OTLP_ENDPOINT=$endpoint \
    OTEL_EXPORTER_OTLP_COMPRESSION=$compression OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none "$@" "$protocol" \
    || echo "$name ended with $?" >&2
}

python() {
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet -r ci/sdks/python/requirements.txt
  once python-grpc grpc "$grpc" gzip "$work/venv/bin/python" ci/sdks/python/app.py
  once python-http http/protobuf "$http" gzip "$work/venv/bin/python" ci/sdks/python/app.py
  once python-http-plain http/protobuf "$http" none "$work/venv/bin/python" ci/sdks/python/app.py
}

nodejs() {
  cp -r ci/sdks/nodejs "$work/nodejs"
  (cd "$work/nodejs" && npm install --silent --no-audit --no-fund)
  once nodejs-grpc grpc "$grpc" gzip node "$work/nodejs/app.mjs"
  once nodejs-http http/protobuf "$http" gzip node "$work/nodejs/app.mjs"
  once nodejs-json http/json "$http" none node "$work/nodejs/app.mjs"
}

java() {
  cp -r ci/sdks/java "$work/java"
  (cd "$work/java" && mvn --quiet --batch-mode package)
  once java-grpc grpc "$grpc" gzip command java -jar "$work/java/target/app.jar"
  once java-http http/protobuf "$http" gzip command java -jar "$work/java/target/app.jar"
}

rust() {
  cp -r ci/sdks/rust "$work/rust"
  (cd "$work/rust" && CARGO_TARGET_DIR=$work/rust/target cargo build --quiet)
  once rust-grpc grpc "$grpc" gzip "$work/rust/target/debug/app"
  once rust-http http/protobuf "$http" gzip "$work/rust/target/debug/app"
}

go() {
  cp -r ci/sdks/go "$work/go"
  (cd "$work/go" && command go mod tidy >/dev/null 2>&1 && command go build -o app .)
  once go-grpc grpc "$grpc" gzip "$work/go/app"
  once go-http http/protobuf "$http" gzip "$work/go/app"
}

# Go's exporter, with the official Collector of examples/otel-collector between.
otelcol() {
  [ -x "$work/go/app" ] || { cp -r ci/sdks/go "$work/go" && (cd "$work/go" && command go mod tidy >/dev/null 2>&1 && command go build -o app .); }
  cp -r examples/otel-collector "$work/otelcol"
  (cd "$work/otelcol" && command go run go.opentelemetry.io/collector/cmd/builder@v0.165.0 --config builder.yaml >build.log 2>&1) \
    || { tail "$work/otelcol/build.log"; return 1; }
  MARGINLAKE_ENDPOINT=${grpc#http://} OTELCOL_STORAGE=$work/otelcol/storage OTLP_GRPC_LISTEN=127.0.0.1:24317 OTLP_HTTP_LISTEN=127.0.0.1:24318 \
    "$work/otelcol/_build/otelcol" --config examples/otel-collector/config.yaml >"$work/otelcol/log" 2>&1 &
  local between=$!
  until (exec 3<>/dev/tcp/127.0.0.1/24317) 2>/dev/null; do
    kill -0 $between || { tail "$work/otelcol/log"; return 1; }
    sleep 0.2
  done
  once otelcol grpc http://127.0.0.1:24317 gzip "$work/go/app"
  kill -TERM $between
  wait $between || true
}

for language in $languages; do
  "$language"
done
kill -TERM $collector
wait $collector
tail -1 "$work/log"
"$MARGINLAKE" sql --lake "$work/lake" \
  "SELECT service_name, scope_version AS sdk, count(*) AS spans, min(customer_id) AS customer, sum(cost_usd) AS cost_usd FROM spans GROUP BY 1, 2 ORDER BY 1"
# Each run gave one span, priced: 1000 tokens in and 100 out of gpt-4o.
found=$("$MARGINLAKE" sql --lake "$work/lake" --format csv \
  "SELECT service_name FROM spans WHERE cost_usd = 0.0035 AND customer_id = 'acme' ORDER BY 1" | tail -n +2)
[ "$found" = "$(sort "$work/expected")" ] || { echo "expected:"; sort "$work/expected"; exit 1; }
echo "all arrived"
