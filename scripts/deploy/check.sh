#!/bin/sh
# Whether deploy/ is what src/install says; and, where helm is there, whether the chart says the same.
set -eu
cd "$(dirname "$0")/../.."
node=$(ls -d node_modules/node-linux-*/bin/node | head -n 1)
"$node" scripts/deploy/generate.mjs --check
"$node" scripts/observability/generate.mjs --check
if command -v helm >/dev/null 2>&1; then
  helm lint --quiet deploy/helm/ambit
  rendered=$(mktemp)
  trap 'rm -f "$rendered"' EXIT
  helm template ambit deploy/helm/ambit --namespace istio-system --kube-version 1.34.0 >"$rendered"
  "$node" scripts/deploy/compare-chart.mjs "$rendered"
else
  echo "deploy: no helm here, so the chart's own rendering was not compared"
fi
