#!/bin/sh
# Generates src/proto/gen from proto/*.proto. Needs protoc and its well-known types (Debian: protobuf-compiler and
# libprotobuf-dev). The result is committed; `make check` regenerates into a scratch folder and compares.
set -eu
cd "$(dirname "$0")/.."
out=${1:-src/proto/gen}
rm -rf "$out" && mkdir -p "$out"
generate() {
  long=$1
  shift
  protoc -Iproto \
    --plugin=node_modules/.bin/protoc-gen-ts_proto \
    --ts_proto_out="$out" \
    --ts_proto_opt=importSuffix=.ts,esModuleInterop=true,enumsAsLiterals=true,oneof=unions,outputServices=grpc-js,useMapType=true,useExactTypes=false,outputJsonMethods=false,unrecognizedEnum=true,env=node,forceLong="$long" \
    "$@"
}
# Nanoseconds since the epoch are more than a number holds.
generate bigint proto/otlp.proto
generate number $(ls proto/*.proto | grep -v otlp)
# The versions of the generators are pinned elsewhere; naming them here would make every update a diff.
find "$out" -name '*.ts' -exec sed -i '/^\/\/   protoc/d' {} +
