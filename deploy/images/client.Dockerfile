# A Kafka client inside the network of the parts, for tests.
FROM docker.io/library/debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends kcat && rm -rf /var/lib/apt/lists/*
USER nobody
ENTRYPOINT ["kcat"]
