#!/bin/sh
# node-exec.sh NODE COMMAND...: runs a command in all namespaces of a node.
set -eu
. "$(dirname "$0")/env.sh"
node=$1
shift
if [ "$(cluster_kind)" = lab ]; then
  pid=$(awk -v node="$node" '$1 == node { print $2 }' "$LAB_DIR/pids")
  [ -n "$pid" ] || die "no node $node"
  exec nsenter -t "$pid" -a "$@"
fi
exec docker exec -i "$node" "$@"
