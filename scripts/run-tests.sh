#!/bin/sh
# Runs the test tiers that are named, or all. A tier without a test file, or one that cannot run, fails.
set -eu
cd "$(dirname "$0")/.."
node=$(ls -d node_modules/node-linux-*/bin/node | head -n 1)
tiers=${*:-unit direct fuzz netns}
files=""
for tier in $tiers; do
  found=$(find "test/$tier" -name '*.test.ts' | sort)
  if [ -z "$found" ]; then
    echo "no test in test/$tier" >&2
    exit 1
  fi
  files="$files $found"
done
# Namespaces are shared by nobody, so files run side by side; two at a time leave room for what they start.
# shellcheck disable=SC2086 # the list is meant to be split
exec "$node" --test --test-concurrency="${TEST_CONCURRENCY:-2}" --test-timeout=120000 --test-reporter="${TEST_REPORTER:-spec}" $files
