#!/bin/sh
# Builds build/Release/ambit.node with the pinned Node and its own headers: nothing is downloaded. Does nothing when the
# addon is newer than its sources.
set -eu
cd "$(dirname "$0")/.."

case "$(uname -m)" in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) echo "build-native: no pinned Node for $(uname -m)" >&2; exit 1 ;;
esac
node_dir="$PWD/node_modules/node-linux-$arch"
addon=build/Release/ambit.node
if [ ! -x "$node_dir/bin/node" ]; then
  echo "build-native: $node_dir is missing, run npm ci first" >&2
  exit 1
fi

# One build at a time: parallel test runs may all ask for it.
exec 9<binding.gyp
flock 9
if [ -f "$addon" ] && [ -z "$(find binding.gyp scripts/build-native.sh src/native -newer "$addon" -type f ! -name '*.ts')" ]; then
  exit 0
fi
PATH="$node_dir/bin:$PATH"
export PATH
node node_modules/node-gyp/bin/node-gyp.js configure build --nodedir="$node_dir" --loglevel=warn >&2
touch "$addon"
