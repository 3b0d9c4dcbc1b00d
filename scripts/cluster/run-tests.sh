#!/bin/sh
# Builds the images, brings a cluster up, runs test/cluster on it, and takes it down again unless it was there before.
# Arguments name single test files.
set -eu
. "$(dirname "$0")/env.sh"
cd "$ROOT"
kind=$(cluster_kind)
[ "${AMBIT_CLUSTER_IMAGES:-build}" = keep ] || scripts/cluster/build-images.sh
if [ "$kind" = lab ] && [ -f "$LAB_DIR/kubeconfig" ]; then keep=yes; else keep=${AMBIT_CLUSTER_KEEP:-no}; fi
finish() {
  if [ "$keep" = no ]; then scripts/cluster/down.sh; fi
}
trap finish EXIT
trap 'exit 130' INT TERM
scripts/cluster/up.sh
node=$(ls -d node_modules/node-linux-*/bin/node | head -n 1)
[ $# -gt 0 ] || set -- test/cluster/*.test.ts
# The tests share one cluster: one file after the other, by their names.
"$node" --test --test-concurrency=1 --test-timeout=900000 --test-reporter="${TEST_REPORTER:-spec}" "$@"
