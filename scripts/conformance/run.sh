#!/bin/sh
# Runs the mesh profiles of the Gateway API conformance suite on a cluster (kind, or a lab) and keeps the report in
# test/conformance/report.yaml. Needs Go and a Go module proxy. Arguments go to the suite, such as --run-test=MeshBasic.
set -eu
. "$(dirname "$0")/../cluster/env.sh"
cd "$ROOT"
SUITE=$ROOT/test/conformance/suite
ECHO=$ROOT/test/conformance/echo
WORK=$ROOT/build/conformance
FEATURES="Mesh,HTTPRoute,GRPCRoute,HTTPRouteResponseHeaderModification,HTTPRouteParentRefPort,\
MeshClusterIPMatching,MeshHTTPRouteRewritePath,MeshHTTPRouteSchemeRedirect,MeshHTTPRouteRedirectPort,MeshHTTPRouteRedirectPath,\
MeshHTTPRouteBackendRequestHeaderModification,MeshConsumerRoute,MeshHTTPRouteQueryParamMatching,MeshHTTPRouteNamedRouteRule,\
HTTPRoute303RedirectStatusCode,HTTPRoute307RedirectStatusCode,HTTPRoute308RedirectStatusCode"
has go || die "no Go here: the suite is a Go module"
kind=$(cluster_kind)
image=$(sed -n 's/^ *image: \(.*echo-advanced.*\)$/\1/p' \
  "$(cd "$SUITE" && go mod download && go list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api/conformance)/mesh/manifests.yaml" | head -n 1)

echo_image() {
  mkdir -p "$WORK/echo"
  (cd "$ECHO" && CGO_ENABLED=0 go build -o "$WORK/echo/" \
    istio.io/istio/pkg/test/echo/cmd/client istio.io/istio/pkg/test/echo/cmd/server)
  [ -f "$WORK/echo/cert.key" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=echo \
    -addext subjectAltName=DNS:echo -keyout "$WORK/echo/cert.key" -out "$WORK/echo/cert.crt" 2>/dev/null
  cp "$ECHO/Dockerfile" "$WORK/echo/"
  builder=$(builder)
  "$builder" build --tag "$image" "$WORK/echo" >"$WORK/echo.log" 2>&1 || { tail "$WORK/echo.log" >&2; die "the echo image does not build"; }
  rm -f "$WORK/echo.tar"
  if [ "$builder" = buildah ]; then buildah push -q "$image" "docker-archive:$WORK/echo.tar:$image"; else "$builder" save --output "$WORK/echo.tar" "$image"; fi
}

if [ "$kind" = lab ] && [ -f "$LAB_DIR/kubeconfig" ]; then keep=yes; else keep=${AMBIT_CLUSTER_KEEP:-no}; fi
finish() {
  if [ "$keep" = no ]; then "$ROOT/scripts/cluster/down.sh"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM
[ "${AMBIT_CLUSTER_IMAGES:-build}" = keep ] || scripts/cluster/build-images.sh
mkdir -p "$WORK"
echo_image
scripts/cluster/up.sh
KUBECONFIG=$(kubeconfig_path)
export KUBECONFIG
if [ "$kind" = lab ]; then
  "$LAB/load-image" --dir "$LAB_DIR" "$WORK/echo.tar"
else
  kind load image-archive --name "$KIND_NAME" "$WORK/echo.tar"
fi
scripts/cluster/kubectl.sh apply --server-side -f "$(cd "$SUITE" && go list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)/config/crd/standard" >/dev/null
bin/ambit install --wait --timeout 3m --set image.pullPolicy=Never
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
cd "$SUITE"
go test -v -count=1 -timeout 30m . -args --gateway-class=istio-waypoint --mesh-name=ambit \
  --conformance-profiles=MESH-HTTP,MESH-GRPC --supported-features="$FEATURES" \
  --namespace-labels=istio.io/dataplane-mode=ambient --organization=ambit --project=ambit --version="$version" \
  --url=https://example.invalid/ambit --contact=@ambit --report-output="$ROOT/test/conformance/report.yaml" "$@"
