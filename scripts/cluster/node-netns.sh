#!/bin/sh
# node-netns.sh NODE: the path of the node's network namespace on this machine.
set -eu
. "$(dirname "$0")/env.sh"
if [ "$(cluster_kind)" = lab ]; then
  pid=$(awk -v node="$1" '$1 == node { print $2 }' "$LAB_DIR/pids")
else
  pid=$(docker inspect --format '{{.State.Pid}}' "$1")
fi
[ -n "$pid" ] || die "no node $1"
echo "/proc/$pid/ns/net"
