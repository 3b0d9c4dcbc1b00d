#!/bin/sh
# Builds the images of ambit and of the example from their Dockerfiles: build/images/ambit.tar and ambit-shop.tar.
set -eu
. "$(dirname "$0")/env.sh"
cd "$ROOT"
VERSION=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
mkdir -p "$IMAGES"
BUILDER=$(builder)
if has_lab && [ "$BUILDER" = buildah ]; then scripts/cluster/lab-bases.sh; fi

# build NAME DOCKERFILE FOLDER
build() {
  echo "building $1 with $BUILDER"
  if [ "$BUILDER" = buildah ]; then
    # Bases that were taken in from archives are not asked for at a registry.
    buildah build --layers --pull-never --tag "$1:$VERSION" --file "$2" "$3" >"$IMAGES/$1.log" 2>&1 ||
      { tail -n 30 "$IMAGES/$1.log" >&2; die "$1 does not build"; }
    rm -f "$IMAGES/$1.tar"
    buildah push -q "$1:$VERSION" "docker-archive:$IMAGES/$1.tar:docker.io/library/$1:$VERSION"
  else
    "$BUILDER" build --tag "$1:$VERSION" --file "$2" "$3"
    "$BUILDER" save --output "$IMAGES/$1.tar" "$1:$VERSION"
  fi
}
build ambit Dockerfile .
build ambit-shop examples/shop/Dockerfile examples/shop
bytes=$(gzip -c "$IMAGES/ambit.tar" | wc -c)
echo "ambit:$VERSION: $((bytes / 1000000)) MB compressed"
