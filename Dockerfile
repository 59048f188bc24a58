# `make image` builds it. The program runs as an ordinary user, on a read-only root file system.

FROM debian:bookworm AS build
WORKDIR /src
COPY .ci/deps .ci/deps
RUN apt-get update && .ci/deps build
COPY Makefile ./
COPY lib lib
COPY sidecar sidecar
ARG VERSION=
RUN make -j"$(nproc)" ${VERSION:+VERSION="$VERSION"} && strip build/release/kubedl-shipper

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libcjson1 libmariadb3 libsqlite3-0 libuv1 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 /run/kubedl
COPY --from=build /src/build/release/kubedl-shipper /usr/local/bin/kubedl-shipper

# libmariadb opens these by name when a server asks for them: MySQL's default and MariaDB's ed25519
# log-in. Nothing else would notice that one is missing, or a library that it needs.
RUN set -eu; \
    for plugin in caching_sha2_password client_ed25519; do \
        libraries=$(ldd /usr/lib/*/libmariadb3/plugin/$plugin.so); \
        case $libraries in *'not found'*) echo "$libraries"; exit 1 ;; esac; \
    done; \
    kubedl-shipper --version

USER 65532:65532
ENTRYPOINT ["kubedl-shipper"]
