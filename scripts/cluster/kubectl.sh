#!/bin/sh
# kubectl on the cluster.
set -eu
. "$(dirname "$0")/env.sh"
if [ "$(cluster_kind)" = lab ]; then exec "$LAB/kubectl" --dir "$LAB_DIR" "$@"; fi
exec kubectl --kubeconfig "$ROOT/build/kind.kubeconfig" "$@"
