#!/bin/bash
# reboot-node.sh NODE: power off and on again. All processes of the node end at once, its network loses what is not
# configuration of the machine; files below /etc, /opt and /var stay. Returns when its kubelet has been started.
set -euo pipefail
. "$(dirname "$0")/env.sh"
node=$1
if [ "$(cluster_kind)" = kind ]; then
  engine=$(builder)
  [ "$engine" != buildah ] || engine=docker
  "$engine" kill "$node" >/dev/null
  exec "$engine" start "$node"
fi
. "$LAB/lib.sh"
pids=$LAB_DIR/pids
netns=$(grep -- "-$node\$" "$LAB_DIR/networks")
mapfile -t cgroups < <(grep -- "/$netns\$" "$LAB_DIR/cgroups")

mapfile -t old < <(awk -v node="$node" '$1 == node || $1 == node "-outer" { print $2, $3 }' "$pids")
[ "${#old[@]}" -gt 0 ] || die "no node $node"
for process in "${old[@]}"; do
  read -r pid start <<<"$process"
  ! alive "$pid" "$start" || kill -KILL "$pid" 2>/dev/null || true
done
for process in "${old[@]}"; do
  read -r pid start <<<"$process"
  for _ in $(seq 300); do
    alive "$pid" "$start" || continue 2
    sleep 0.1
  done
  die "$node, process $pid, does not end"
done

# What a kernel forgets: links of pods, bridges, rules, sets, connections.
in_net() { ip netns exec "$netns" "$@"; }
for link in $(in_net ip -o link show | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }'); do
  case $link in lo | eth0) ;; *) in_net ip link delete "$link" 2>/dev/null || true ;; esac
done
for table in raw mangle nat filter; do
  for tool in iptables ip6tables; do printf '*%s\nCOMMIT\n' "$table" | in_net $tool-restore -T "$table" 2>/dev/null || true; done
done
if has nft; then in_net nft flush ruleset 2>/dev/null || true; fi
if has ipset; then in_net ipset destroy 2>/dev/null || true; fi
in_net conntrack -F >/dev/null 2>&1 || true
in_net ip rule flush && in_net ip rule add pref 32766 table main && in_net ip rule add pref 32767 table default

binary=$(kube_binary)
address=$(in_net ip -o -4 address show dev eth0 | awk '{ sub(/\/.*/, "", $4); print $4 }')
(
  for folder in "${cgroups[@]}"; do echo $BASHPID >"$folder/cgroup.procs"; done
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    KUBE_BINARY="$binary" CONTROL_IP="$control_ip" SERVICE_NET="$service_net" NODE_IP="$address" \
    setsid nsenter --net="/run/netns/$netns" \
    unshare --mount --uts --ipc --pid --cgroup --fork --kill-child --propagation private \
    "$LAB/node" "$node" worker "$LAB_DIR/nodes/$node"
) </dev/null >"$LAB_DIR/nodes/$node.log" 2>&1 &
wrapper=$!
disown
init=
for _ in $(seq 100); do
  init=$(cat "/proc/$wrapper/task/$wrapper/children" 2>/dev/null || true)
  init=${init%% *}
  [ -z "$init" ] || break
  sleep 0.02
done
[ -n "$init" ] || die "$node did not start: $(cat "$LAB_DIR/nodes/$node.log")"
awk -v node="$node" '$1 != node && $1 != node "-outer"' "$pids" >"$pids.new"
printf '%s-outer %s %s\n%s %s %s\n' "$node" "$wrapper" "$(started "$wrapper")" "$node" "$init" "$(started "$init")" >>"$pids.new"
mv "$pids.new" "$pids"
