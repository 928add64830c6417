# Stands in for Apache Kafka's image: same user, folders, and settings by environment.
# (Without the folder of manuals, Java's packages do not install.)
FROM docker.io/library/debian:bookworm-slim
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 && apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* && useradd --create-home --uid 1000 appuser
COPY --from=kafka --chown=appuser:appuser . /opt/kafka
COPY kafka-entrypoint /etc/kafka/docker/run
RUN install -d -o appuser -g appuser /var/lib/kafka/data /opt/kafka/logs
USER appuser
VOLUME /var/lib/kafka/data
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
