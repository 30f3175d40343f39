# syntax=docker/dockerfile:1
# Tagboat as a small image: the binary, certificates, and the OpenSSH client for environment repositories over ssh.
#
#   docker build --tag tagboat .
#   docker run --rm --read-only --volume ./policy:/etc/tagboat:ro --volume tagboat-state:/var/lib/tagboat tagboat

ARG RUST_VERSION=1.95
ARG DEBIAN_RELEASE=bookworm

FROM rust:${RUST_VERSION}-slim-${DEBIAN_RELEASE} AS build
WORKDIR /src

# The dependencies, in a layer that lasts until Cargo.toml or Cargo.lock change. The stand-in program has no tests and
# benches, so the sections that name their files go. What was made of it goes too: COPY keeps the sources' older times, so
# cargo would take it for up to date.
COPY Cargo.toml Cargo.lock ./
RUN awk '/^\[/ { keep = !/^\[\[(test|bench|example)\]\]/ } keep' Cargo.toml > stripped.toml \
    && mv stripped.toml Cargo.toml \
    && mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && cargo clean --release --locked --package tagboat \
    && rm -r src

COPY config config
COPY src src
RUN cargo build --release --locked --bin tagboat \
    && target/release/tagboat --version

FROM debian:${DEBIAN_RELEASE}-slim
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tagboat" \
      org.opencontainers.image.description="Watches OCI registries and commits the chosen image tags to a Git environment repository" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    # ssh wants to know its user by name.
    && useradd --system --uid 65532 --user-group --no-create-home --home-dir /var/lib/tagboat --shell /usr/sbin/nologin tagboat \
    && install --directory --owner=65532 --group=65532 --mode=0750 /var/lib/tagboat \
    && install --directory --mode=0755 /etc/tagboat

COPY LICENSE docker/NOTICE /usr/share/doc/tagboat/
COPY --from=build /src/target/release/tagboat /usr/local/bin/tagboat

# A file, or a directory whose *.toml files are read in name order: a mounted ConfigMap fits.
ENV TAGBOAT_CONFIG=/etc/tagboat
# As a number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/tagboat
# Nothing else is written: the rest can be mounted read-only.
VOLUME ["/var/lib/tagboat"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["tagboat", "health"]
ENTRYPOINT ["tagboat"]
CMD ["run"]
