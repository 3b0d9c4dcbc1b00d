#!/bin/sh
# Fails when src/proto/gen is not what proto/*.proto generate.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
scripts/generate-proto.sh "$scratch/gen"
if ! diff -r src/proto/gen "$scratch/gen" >/dev/null; then
  echo "src/proto/gen is not what proto/*.proto generate: run 'make proto'" >&2
  exit 1
fi
