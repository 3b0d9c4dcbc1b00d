#!/bin/sh
# Runs every bench that needs no cluster and no browser once, as short as it can be, into a folder that is thrown away.
# Fails when one cannot run.
set -eu
cd "$(dirname "$0")/.."
node=$(ls -d node_modules/node-linux-*/bin/node | head -n 1)
BENCH_RESULTS=$(mktemp -d)
export BENCH_RESULTS
# Of micro/main and micro/scrape.
export MICRO_SMOKE=1 LABEL_SETS=150 RUN_MS=500
trap 'rm -rf "$BENCH_RESULTS"' EXIT
for bench in micro/main l4/main l7/main memory/main control/push control/reconnect control/memory micro/engine micro/http1 micro/scrape; do
  echo "== bench/$bench.ts"
  began=$(date +%s)
  timeout --kill-after=10 240 "$node" "bench/$bench.ts"
  echo "$(($(date +%s) - began)) s"
done
for result in micro l4 l7 memory-sidecars push reconnect memory; do
  [ -s "$BENCH_RESULTS/$result.json" ] || { echo "bench-smoke: no results of $result" >&2; exit 1; }
done
