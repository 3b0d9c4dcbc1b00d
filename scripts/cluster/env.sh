# Which cluster the scripts of this folder work on; to be sourced. A lab folder (AMBIT_CLUSTER_LAB, by default ../shared/kube
# beside the project) offers up, down, load-image and kubectl; without one it is kind.
ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
LAB=${AMBIT_CLUSTER_LAB:-$ROOT/../shared/kube}
# Absolute, also for the scripts that this one calls from another folder.
if [ -d "$LAB" ]; then
  LAB=$(CDPATH='' cd -- "$LAB" && pwd)
  AMBIT_CLUSTER_LAB=$LAB
  export AMBIT_CLUSTER_LAB
fi
LAB_DIR=${AMBIT_CLUSTER_DIR:-/tmp/kube}
KIND_NAME=${AMBIT_KIND_NAME:-ambit}
IMAGES=$ROOT/build/images
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}

has_lab() { [ -x "$LAB/up" ] && [ "$(id -u)" = 0 ]; }
has() { command -v "$1" >/dev/null 2>&1; }
die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}
cluster_kind() {
  if has_lab; then
    echo lab
  elif has kind; then
    echo kind
  else
    die "no cluster here: install kind (and docker or podman), or point AMBIT_CLUSTER_LAB at a lab"
  fi
}
kubeconfig_path() {
  if [ "$(cluster_kind)" = lab ]; then echo "$LAB_DIR/kubeconfig"; else echo "$ROOT/build/kind.kubeconfig"; fi
}
# builder: the program that builds images; root on Debian gets one installed. A docker client without its engine is none.
builder() {
  if has docker && docker info >/dev/null 2>&1; then
    echo docker
  elif has podman; then
    echo podman
  elif has buildah || install_buildah; then
    echo buildah
  else
    die "no program builds images here: install docker, podman or buildah (Debian: apt-get install buildah)"
  fi
}
install_buildah() {
  [ "$(id -u)" = 0 ] && has apt-get || return 1
  echo "installing: buildah" >&2
  apt-get update -qq && apt-get install -y -qq --no-install-recommends buildah >/dev/null
}
