#!/bin/sh
# The base images of the Dockerfiles, under their public names, for a machine that reaches a package mirror but no image
# registry: Debian by the lab's tools, and Node from the one that this project pins.
set -eu
. "$(dirname "$0")/env.sh"
BASES=${AMBIT_BASES:-$HOME/.cache/ambit-bases}
mkdir -p "$BASES"

# take NAME ARCHIVE: into the builder's store.
take() {
  buildah inspect --type image "docker.io/library/$1" >/dev/null 2>&1 || buildah pull -q "docker-archive:$2" >/dev/null
}
if [ ! -f "$BASES/node.tar" ]; then
  echo "making base images (once, about a minute)"
  rm -rf "$BASES/root"
  "$LAB/base-image" "$BASES/root" >"$BASES/log" 2>&1 || { tail "$BASES/log" >&2; die "base-image failed"; }
  # The mirrors of this machine may have a certificate that only this machine trusts.
  cp -L /etc/ssl/certs/ca-certificates.crt "$BASES/root/etc/ssl/certs/ca-certificates.crt"
  "$LAB/make-image" debian:bookworm-slim "$BASES/debian.tar" "$BASES/root" -- bash >>"$BASES/log"
  local=$BASES/root/usr/local
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  cp "$ROOT"/node_modules/node-linux-*/bin/node "$local/bin/node"
  mkdir -p "$local/lib/node_modules" "$local/etc"
  cp -a "$npm" "$local/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$local/bin/npm"
  echo cafile=/etc/ssl/certs/ca-certificates.crt >"$local/etc/npmrc"
  "$LAB/make-image" node:24-bookworm-slim "$BASES/node.tar.new" "$BASES/root" -- node >>"$BASES/log"
  mv "$BASES/node.tar.new" "$BASES/node.tar"
  rm -rf "$BASES/root"
fi
take debian:bookworm-slim "$BASES/debian.tar"
take node:24-bookworm-slim "$BASES/node.tar"
