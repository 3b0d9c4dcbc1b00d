#!/bin/sh
# Builds an image of the Envoy in build/envoy and loads it into the cluster of scripts/cluster, as ambit-bench-envoy:1.
set -eu
. "$(dirname "$0")/../../scripts/cluster/env.sh"
FOLDER=$ROOT/build/bench/envoy-image
mkdir -p "$FOLDER"
cp "$ROOT/build/envoy/envoy/_bin/envoy" "$FOLDER/envoy"
printf 'FROM node:24-bookworm-slim\nCOPY envoy /usr/local/bin/envoy\n' >"$FOLDER/Dockerfile"
builder=$(builder)
if has_lab && [ "$builder" = buildah ]; then "$ROOT/scripts/cluster/lab-bases.sh"; fi
rm -f "$FOLDER.tar"
if [ "$builder" = buildah ]; then
  buildah build --layers --pull-never --tag ambit-bench-envoy:1 "$FOLDER" >"$FOLDER.log" 2>&1 || { tail "$FOLDER.log" >&2; die "the image does not build"; }
  buildah push -q ambit-bench-envoy:1 "docker-archive:$FOLDER.tar:docker.io/library/ambit-bench-envoy:1"
else
  "$builder" build --tag ambit-bench-envoy:1 "$FOLDER"
  "$builder" save --output "$FOLDER.tar" ambit-bench-envoy:1
fi
if [ "$(cluster_kind)" = lab ]; then "$LAB/load-image" --dir "$LAB_DIR" "$FOLDER.tar"; else kind load image-archive --name "$KIND_NAME" "$FOLDER.tar"; fi
