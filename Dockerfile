# The images of Countersign, for those who have a container engine:
#
#   docker build --target agent --tag countersign.dev/agent:0.1.0 .
#
# Targets: webhook, authority, agent, node, proxy. `npm run images` makes the same programs into tar files without one.

ARG NODE=24.21.0
ARG ENVOY=1.40.0

FROM node:${NODE}-bookworm-slim AS applications
WORKDIR /checkout
COPY package.json package-lock.json .npmrc ./
# The optional packages are Node.js itself, which the base image has.
RUN npm ci --omit=dev --omit=optional
COPY LICENSE NOTICE ./
COPY tools/envoy.txt tools/
COPY tools/images tools/images
COPY shared shared
COPY webhook webhook
COPY authority authority
COPY agent agent
COPY node node
# Of each program what it imports, and nothing else.
RUN node tools/images/main.ts --app /applications webhook authority agent node

FROM node:${NODE}-bookworm-slim AS webhook
COPY --from=applications /applications/webhook /
USER 65532:65532
ENTRYPOINT ["node", "/app/webhook/main.ts"]

FROM node:${NODE}-bookworm-slim AS authority
COPY --from=applications /applications/authority /
USER 65532:65532
ENTRYPOINT ["node", "/app/authority/main.ts"]

FROM node:${NODE}-bookworm-slim AS agent
COPY --from=applications /applications/agent /
USER 65532:65532
ENTRYPOINT ["node", "/app/agent/main.ts"]

FROM node:${NODE}-bookworm-slim AS node
RUN apt-get update \
  && apt-get install --yes --no-install-recommends iproute2 iptables nftables util-linux \
  && rm -rf /var/lib/apt/lists/*
COPY --from=applications /applications/node /
# It enters the network namespaces of pods.
USER 0:0
ENTRYPOINT ["node", "/app/node/main.ts"]

FROM envoyproxy/envoy:distroless-v${ENVOY} AS proxy
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/envoy"]
