# Stands in for the Swift image. The toolchain is this machine's, mounted at /opt/swift while images are built.
FROM docker.io/library/debian:bookworm-slim
LABEL penstock.stand-in=true
# What Swift's own image installs.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils-gold ca-certificates gcc git libcurl4-openssl-dev \
        libedit-dev libncurses-dev libpython3-dev libsqlite3-dev libstdc++-12-dev libxml2-dev pkg-config tzdata \
        uuid-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/swift/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
