#!/bin/sh
# Fails when a generated section of the documentation is not what the code says, or when a link leads nowhere.
set -eu
cd "$(dirname "$0")/.."
node=$(ls -d node_modules/node-linux-*/bin/node | head -n 1)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$node" --disable-warning=ExperimentalWarning scripts/docs/generate.mjs "$scratch"
status=0
for file in $(cd "$scratch" && find . -name '*.md' -o -name '*.svg' | sort); do
  if ! diff -u "$file" "$scratch/$file"; then status=1; fi
done
if [ "$status" -ne 0 ]; then
  echo "the documentation is not what the code says: run 'node scripts/docs/generate.mjs'" >&2
  exit 1
fi
"$node" scripts/docs/check-links.mjs
