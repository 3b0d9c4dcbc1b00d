#!/bin/sh
# Brings a cluster of two nodes up, with the images of build/images in it. Does nothing twice.
set -eu
. "$(dirname "$0")/env.sh"
if [ "$(cluster_kind)" = lab ]; then
  "$LAB/up" --dir "$LAB_DIR" --nodes 2 >/dev/null
  for number in 1 2; do
    "$LAB/kubectl" --dir "$LAB_DIR" label node "node$number" "topology.kubernetes.io/zone=zone$number" --overwrite >/dev/null
  done
  "$LAB/load-image" --dir "$LAB_DIR" "$IMAGES/ambit.tar" "$IMAGES/ambit-shop.tar"
else
  kind get clusters 2>/dev/null | grep -qx "$KIND_NAME" ||
    kind create cluster --name "$KIND_NAME" --config "$ROOT/deploy/kind/cluster.yaml" --wait 120s
  kind get kubeconfig --name "$KIND_NAME" >"$ROOT/build/kind.kubeconfig"
  kind load image-archive --name "$KIND_NAME" "$IMAGES/ambit.tar" "$IMAGES/ambit-shop.tar"
fi
kubeconfig_path
