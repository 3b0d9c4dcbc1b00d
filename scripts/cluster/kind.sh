#!/bin/sh
# A kind cluster with ambit and the example in it; says how to look at it. Run it again to bring it up to date.
set -eu
. "$(dirname "$0")/env.sh"
cd "$ROOT"
has kind || die "kind is not installed: see its quick start"
has kubectl || die "kubectl is not installed"
AMBIT_CLUSTER_LAB=none
export AMBIT_CLUSTER_LAB
LAB=none
scripts/cluster/build-images.sh
scripts/cluster/up.sh
config=$(kubeconfig_path)
bin/ambit check --pre --kubeconfig "$config"
bin/ambit install --wait --kubeconfig "$config"
kubectl --kubeconfig "$config" apply -f examples/shop/namespaces.yaml
kubectl --kubeconfig "$config" apply -f examples/shop
for namespace in shop payments; do
  kubectl --kubeconfig "$config" wait -n "$namespace" --for=condition=Available deployment --all --timeout=120s
  kubectl --kubeconfig "$config" label namespace "$namespace" istio.io/dataplane-mode=ambient --overwrite
done
# Smoke: the shopper buys, and every pod of the shop is redirected.
sleep 5
kubectl --kubeconfig "$config" logs -n shop deploy/shopper --tail=3
kubectl --kubeconfig "$config" get pods -n shop \
  -o custom-columns='POD:.metadata.name,REDIRECTION:.metadata.annotations.ambient\.istio\.io/redirection'
echo "export KUBECONFIG=$config"
