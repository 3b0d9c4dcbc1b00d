#!/bin/sh
# h2spec, the interop programs of gRPC and WebSocket through a waypoint of `ambit up`. Needs Go, a Go module proxy and root.
set -eu
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "protocols.sh: no Go here: the tools are Go modules" >&2; exit 1; }
PROTOCOL_TOOLS=$(pwd)/build/conformance/protocols
export PROTOCOL_TOOLS
mkdir -p "$PROTOCOL_TOOLS"
(cd test/conformance/h2spec && go build -o "$PROTOCOL_TOOLS/h2spec" github.com/summerwind/h2spec/cmd/h2spec)
for side in client server; do
  (cd test/conformance/grpc && go build -o "$PROTOCOL_TOOLS/grpc-$side" "google.golang.org/grpc/interop/$side")
done
node=$(ls -d node_modules/node-linux-*/bin/node | head -n 1)
exec "$node" --test --test-force-exit --test-reporter="${TEST_REPORTER:-spec}" test/conformance/protocols/protocols.test.ts
