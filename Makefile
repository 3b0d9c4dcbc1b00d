# Everything a newcomer types is here. Each target does the set-up that it needs, and only when it is out of date.
SHELL := /bin/sh
ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x64)
NODE_HOME := node_modules/node-linux-$(ARCH)
NODE := $(NODE_HOME)/bin/node
BIN := node_modules/.bin
# The pinned Node runs every tool and test, also those that start with "#!/usr/bin/env node".
export PATH := $(CURDIR)/$(NODE_HOME)/bin:$(PATH)

NATIVE := build/Release/ambit.node
NATIVE_SOURCES := $(wildcard src/native/*.cc src/native/*.h) binding.gyp scripts/build-native.sh
TS_SOURCES := $(shell find src -name '*.ts' 2>/dev/null)

.DEFAULT_GOAL := help

##@ Start here

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## watch unmodified programs talk over mutual TLS they know nothing about
	$(NODE) scripts/demo.mjs

.PHONY: test
test: build ## run every test tier; fails when one cannot run
	scripts/run-tests.sh

##@ Build

.PHONY: build
build: dist/.built dist/dashboard/pages/index.html $(NATIVE) build/ambit-cni ## compile the native addon, the CNI plugin and the TypeScript

.PHONY: deps
deps: .cache/deps ## install the system packages that are missing

.cache/deps: scripts/install-deps.sh
	scripts/install-deps.sh
	@mkdir -p .cache && touch $@

node_modules/.installed: package.json package-lock.json .cache/deps
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(NATIVE): $(NATIVE_SOURCES) node_modules/.installed
	scripts/build-native.sh
	@touch $@

build/ambit-cni: $(wildcard src/cni/*.c src/cni/*.h) scripts/build-cni.sh .cache/deps
	scripts/build-cni.sh
	@touch $@

dist/.built: $(TS_SOURCES) tsconfig.json tsconfig.build.json node_modules/.installed
	$(BIN)/tsc -p tsconfig.build.json
	@touch $@

dist/dashboard/pages/index.html: $(wildcard dashboard/* dashboard/src/*) dist/.built node_modules/.installed
	$(BIN)/vite build dashboard --config dashboard/vite.config.mjs --logLevel warn
	@touch $@

.PHONY: proto
proto: node_modules/.installed ## generate src/proto/gen again (needs protoc)
	scripts/generate-proto.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf dist build .cache

##@ Kubernetes

.PHONY: image
image: node_modules/.installed ## build the images (docker, podman or buildah) into build/images
	scripts/cluster/build-images.sh

.PHONY: test-cluster
test-cluster: build ## run the tests on a cluster of two nodes (kind, or a lab: see test/README.md)
	scripts/cluster/run-tests.sh

.PHONY: conformance
conformance: build ## run the mesh profiles of the Gateway API conformance suite on a cluster (needs Go)
	scripts/conformance/run.sh

.PHONY: conformance-protocols
conformance-protocols: build ## h2spec, gRPC's interop programs and WebSocket through a waypoint (needs Go)
	scripts/conformance/protocols.sh

.PHONY: kind
kind: build ## a kind cluster with ambit and the example in it, checked
	scripts/cluster/kind.sh

.PHONY: manifests
manifests: node_modules/.installed ## write deploy/helm and deploy/manifests again
	$(NODE) scripts/deploy/generate.mjs

.PHONY: observability
observability: node_modules/.installed ## write the dashboards of deploy/observability again
	$(NODE) scripts/observability/generate.mjs

##@ Quality

.PHONY: check
check: node_modules/.installed ## types, format and lint, ranks and cycles, dead code, generated code
	$(BIN)/tsc -p tsconfig.json
	$(BIN)/tsc -p dashboard/tsconfig.json --noEmit
	$(BIN)/biome check --error-on-warnings .
	$(NODE) scripts/check-modules.mjs
	$(BIN)/knip
	scripts/check-proto.sh
	scripts/check-docs.sh
	scripts/deploy/check.sh

.PHONY: test-unit
test-unit: build ## unit tests only
	scripts/run-tests.sh unit

.PHONY: test-netns
test-netns: build ## tests on real network namespaces (root or user namespaces)
	scripts/run-tests.sh netns

.PHONY: bench
# Half an hour in all: fewer rounds than each bench has by itself.
bench: export BENCH_ROUNDS := $(or $(BENCH_ROUNDS),3)
bench: bench-micro bench-l4 bench-l7 bench-memory-sidecars bench-push bench-reconnect bench-memory ## the benches with a target of their own, one after the other; results under bench/results

.PHONY: bench-smoke
bench-smoke: build ## all benches without cluster and browser for some seconds, to see that they run; nothing is measured
	BENCH_ROUNDS=1 BENCH_SECONDS=1 BENCH_WARM_UP=0 PUSH_SECONDS=1 BENCH_TUNNELS=3200 MEMORY_PODS=2 MEMORY_SERVICES=100 SETTLE_MS=1000 ROUNDS=1 BENCH_WORKLOADS=1000 BENCH_PROXIES=10 scripts/bench-smoke.sh

.PHONY: bench-gate
bench-gate: ## fails when a bench in BENCH_RESULTS lost against its peers what bench/results had won
	$(NODE) bench/gate.ts

.PHONY: bench-micro
bench-micro: node_modules/.installed ## policies, routes, balancers, codecs, metrics and the feed, each by itself
	$(NODE) bench/micro/main.ts

.PHONY: bench-l4
bench-l4: build ## L4 speed and memory against HAProxy
	$(NODE) bench/l4/main.ts

.PHONY: bench-l7
bench-l7: build ## L7 speed and memory against Envoy and HAProxy
	$(NODE) bench/l7/main.ts

.PHONY: bench-push
bench-push: build ## from a pod's address to every proxy, with up to 100,000 workloads and 100 proxies
	$(NODE) bench/control/push.ts

.PHONY: bench-reconnect
bench-reconnect: build ## what proxies cost that connect again, all at once
	$(NODE) bench/control/reconnect.ts

.PHONY: bench-memory-sidecars
bench-memory-sidecars: build ## memory of a node: Envoy sidecars against ztunnel, agent and waypoint
	$(NODE) bench/memory/main.ts

.PHONY: bench-memory
bench-memory: build ## memory of control plane and agent
	$(NODE) bench/control/memory.ts
