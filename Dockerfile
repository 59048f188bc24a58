# The container image. `make image` builds it; `docker build .` does, too.
#
# The final stage is what .ci/image/collect puts together, and nothing else: no shell, no package manager,
# nothing that the program's user can write. No line here names an architecture.

# Debian from bookworm on, or a copy of it; .ci/image/base makes one without a registry.
ARG BASE=debian:bookworm

FROM ${BASE} AS build
WORKDIR /src
# What a builder keeps of this step is good for as long as this stays the same: `make image` sets the
# day. The libraries in the image are the ones that are installed here.
ARG PACKAGES_AS_OF=
COPY .ci/deps .ci/deps
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update -qq \
    && apt-get upgrade -qq \
    && apt-get install -qq --no-install-recommends ca-certificates python3 \
    && .ci/deps build
COPY Makefile ./
COPY lib lib
COPY sidecar sidecar
ARG VERSION=
RUN make -j"$(nproc)" ${VERSION:+VERSION="$VERSION"} && strip build/release/kubedl-shipper
COPY LICENSE ./
COPY docs/kubedl-shipper.1 docs/kubedl-shipper.bash docs/
COPY .ci/image/collect .ci/image/sbom .ci/image/
ARG REVISION=
ARG SOURCE=
ARG SOURCE_DATE_EPOCH=0
RUN .ci/image/collect build/release/kubedl-shipper . /image

# `make image` adds the labels that it knows the values of: version, revision, source, created.
FROM scratch
COPY --from=build /image /
LABEL org.opencontainers.image.title="kubedl-shipper" \
      org.opencontainers.image.description="Ships watch events of KubeDL jobs and pods to MariaDB or MySQL" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/usr/bin
USER 65532:65532
ENTRYPOINT ["/usr/bin/kubedl-shipper"]
