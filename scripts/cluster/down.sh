#!/bin/sh
# Takes the cluster down.
set -eu
. "$(dirname "$0")/env.sh"
if [ "$(cluster_kind)" = lab ]; then "$LAB/down" --dir "$LAB_DIR"; else kind delete cluster --name "$KIND_NAME"; fi
