# One image for all roles: `docker run ambit control ...`. See deploy/README.md for what each role needs.

FROM node:24-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ambit
# Dependencies change less often than sources: they are a layer of their own.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY binding.gyp ./
COPY scripts/build-native.sh scripts/build-cni.sh scripts/
COPY src/native src/native
COPY src/cni src/cni
# The pinned Node of node_modules builds the addon with its own headers and is what runs in the end.
RUN scripts/build-native.sh && scripts/build-cni.sh
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY dashboard dashboard
RUN node_modules/.bin/tsc -p tsconfig.build.json \
 && node_modules/.bin/vite build dashboard --config dashboard/vite.config.mjs --logLevel warn
RUN npm prune --omit=dev --no-audit --no-fund --loglevel=error \
 && rm -rf node_modules/.bin node_modules/node-linux-*/include node_modules/node-linux-*/share dist/.tsbuildinfo \
 && mkdir -p /out/build/Release \
 && npm sbom --package-lock-only --omit=dev --sbom-format cyclonedx > /out/sbom.cdx.json \
 && mv package.json node_modules dist /out/ \
 && mv build/Release/ambit.node /out/build/Release/ \
 && mv build/ambit-cni /out/build/ \
 && strip /out/node_modules/node-linux-*/bin/node /out/build/Release/ambit.node
COPY bin /out/bin
COPY LICENSE /out/

FROM debian:bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ambit" \
      org.opencontainers.image.description="A service mesh without sidecars: node proxy, node agent and control plane" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The agent writes the rules of pods with these; nsenter is part of the base image.
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 ipset iptables nftables \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/* /var/log/*
COPY --from=build /out /opt/ambit
RUN ln -s /opt/ambit/bin/ambit /usr/local/bin/ambit
# ztunnel and agent need root and capabilities; who runs them says so. Everything else runs as nobody in particular.
USER 65532:65532
# Paths such as ./var/run/secrets/istio/root-cert.pem are relative to the root.
WORKDIR /
EXPOSE 8080 15012 15014 15017 15020 15021
ENTRYPOINT ["/opt/ambit/bin/ambit"]
