"""A Kafka of the test's own, with rights to be taken away and a second broker to be killed."""

import os
import subprocess

import confluent_kafka.admin as admin
import pytest

from stack import LIMIT, ROOT, eventually, free_port

# What has no rule is open to everybody.
PROPERTIES = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


class KafkaServer:
    def __init__(self, folder):
        if not os.environ.get("KAFKA_HOME"):
            pytest.skip("KAFKA_HOME is not set: a broker of the test's own can't be started")
        self.properties = PROPERTIES
        self.folder = folder / "kafka-server"
        self.folder.mkdir()
        self.bootstrap = None
        self.second = None

    def _servers(self, command):
        environment = {key: value for key, value in os.environ.items() if key != "KAFKA_BOOTSTRAP"}
        environment.update(
            KAFKA_PROPERTIES=self.properties, KAFKA_HEAP_OPTS="-Xmx256m")
        return subprocess.run(
            [ROOT / "deploy/test-servers", command, self.folder, "kafka"], env=environment, check=True,
            stdout=subprocess.PIPE, text=True, timeout=LIMIT).stdout

    def start(self):
        self.bootstrap = self._servers("start").split("PENSTOCK_TEST_KAFKA=")[1].strip()

    def stop(self):
        self.kill_second()
        self._servers("kill")

    def start_second(self):
        """A second broker of the cluster, for topics with two replicas."""
        folder = self.folder / "second"
        folder.mkdir()
        home, port = os.environ["KAFKA_HOME"], free_port()
        cluster = dict(
            line.split("=", 1) for line in (self.folder / "kafka/data/meta.properties").read_text().splitlines()
            if "=" in line)["cluster.id"]
        kept = [line for line in (self.folder / "kafka/server.properties").read_text().splitlines()
                if not line.startswith(("process.roles", "node.id", "listeners", "advertised", "log.dirs"))]
        (folder / "server.properties").write_text("\n".join([
            *kept, "process.roles=broker", "node.id=2", f"log.dirs={folder}/data",
            f"listeners=PLAINTEXT://127.0.0.1:{port}", f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}"]))
        environment = {**os.environ, "KAFKA_HEAP_OPTS": "-Xmx256m", "LOG_DIR": str(folder)}
        subprocess.run(
            [f"{home}/bin/kafka-storage.sh", "format", "-t", cluster, "-c", folder / "server.properties",
             "--no-initial-controllers"], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)
        with open(folder / "log", "w") as log:
            self.second = subprocess.Popen(
                [f"{home}/bin/kafka-server-start.sh", folder / "server.properties"], env=environment, stdout=log,
                stderr=subprocess.STDOUT)
        client = admin.AdminClient({"bootstrap.servers": self.bootstrap})
        eventually(lambda: len(client.list_topics(timeout=LIMIT).brokers) == 2, "two brokers")

    def kill_second(self):
        if self.second and self.second.poll() is None:
            self.second.kill()
            self.second.wait(LIMIT)

    def deny(self, operation, kind, name):
        """Takes one right from everybody, or all (operation "ALL")."""
        client = admin.AdminClient({"bootstrap.servers": self.bootstrap})
        # A name with a rule is closed to all that no rule allows.
        rules = [self._rule("DENY", operation, kind, name), self._rule("ALLOW", "ALL", kind, name)]
        for result in client.create_acls(rules).values():
            result.result(LIMIT)
        eventually(lambda: len(self._rules(client, kind, name)) == 2, "the rules are in force")

    def allow_all(self, kind, name):
        client = admin.AdminClient({"bootstrap.servers": self.bootstrap})
        wanted = self._filter(kind, name)
        client.delete_acls([wanted])[wanted].result(LIMIT)
        eventually(lambda: not self._rules(client, kind, name), "no rule is in force")

    @staticmethod
    def _rule(permission, operation, kind, name):
        return admin.AclBinding(
            getattr(admin.ResourceType, kind), name, admin.ResourcePatternType.LITERAL, "User:*", "*",
            getattr(admin.AclOperation, operation), getattr(admin.AclPermissionType, permission))

    @staticmethod
    def _filter(kind, name):
        return admin.AclBindingFilter(
            getattr(admin.ResourceType, kind), name, admin.ResourcePatternType.LITERAL, None, None,
            admin.AclOperation.ANY, admin.AclPermissionType.ANY)

    def _rules(self, client, kind, name):
        return client.describe_acls(self._filter(kind, name)).result(LIMIT)
