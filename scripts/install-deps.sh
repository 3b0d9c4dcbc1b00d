#!/bin/sh
# Installs the Debian packages that are missing: by apt-get when root, else it prints the one line to type.
set -eu
missing=""
need() { # need COMMAND PACKAGE
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need_header() { # need_header FILE PACKAGE
  [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] || missing="$missing $2"
}
need node nodejs
need npm npm
need g++ g++
need make make
need python3 python3
need ip iproute2
need nft nftables
need iptables iptables
need ipset ipset
need unshare util-linux
need tcpdump tcpdump
need openssl openssl
need protoc protobuf-compiler
need_header google/protobuf/any.proto libprotobuf-dev
need curl curl
need haproxy haproxy
need wrk wrk
need iperf3 iperf3
need h2load nghttp2-client
need nginx nginx-light
need perl perl
need prometheus prometheus
need chromium chromium
need java default-jre-headless
need mvn maven
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "missing packages; type: sudo apt-get install -y$missing" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "missing packages and no apt-get here; install what provides:$missing" >&2
  exit 1
fi
echo "installing:$missing"
apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
