"""A stack under test: processes of the program, and what they talk to."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import uuid

import confluent_kafka
import confluent_kafka.admin
import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
PENSTOCK = os.environ.get("PENSTOCK", str(ROOT / ".build/debug/penstock"))
# Nothing here takes longer on a busy machine, unless it is broken.
LIMIT = 120


def required(name):
    value = os.environ.get(name)
    assert value, f"{name} is not set: run deploy/test"
    return value


def cache_of_this_worker():
    """Redis, in a database of this process's own: tests run beside each other, and each begins with an empty one."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return re.sub(r"/\d+$", f"/{number}", required("PENSTOCK_TEST_REDIS"))


def free_port():
    return int(subprocess.run([ROOT / "deploy/free-port"], check=True, capture_output=True, text=True).stdout)


def eventually(condition, what, limit=LIMIT, every=0.1):
    """Waits until condition() is true (or gives a value), and answers it."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(every)


class Stack:
    def __init__(self, folder, servers):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.processes = []
        self.logs = 0
        self.database = None
        self.environment = {
            k: v for k, v in os.environ.items()
            if not k.startswith(("PENSTOCK_", "MESSAGE_LIMIT", "BATCH_CONSUMER"))
        }
        self.environment["PENSTOCK_LISTEN"] = f"grpc://127.0.0.1:{self.port}"
        self.suffix = uuid.uuid4().hex[:8]
        self.kafka = None
        if servers:
            self.kafka = required("PENSTOCK_TEST_KAFKA")
            self.database = f"acceptance_{self.suffix}"
            self.admin_url = required("PENSTOCK_TEST_POSTGRES")
            self.sql(f"create database {self.database}", admin=True)
            self.environment["PENSTOCK_BUS"] = f"kafka://{self.kafka}"
            self.environment["PENSTOCK_STORE"] = re.sub(r"/[^/]*$", f"/{self.database}", self.admin_url)
            self.environment["PENSTOCK_CACHE"] = cache_of_this_worker()
            # Case ids repeat from run to run: answers of an earlier one must not be found.
            subprocess.run(["redis-cli", "-u", self.environment["PENSTOCK_CACHE"], "flushdb"], check=True, capture_output=True)
        self.pipelines = {
            name: json.loads((ROOT / "Pipelines" / f"{name}.json").read_text())
            for name in ("conversion-reports", "conversion-events")
        }

    # Pipeline files

    def topic(self, name):
        """Topics of the test's own: tests share a broker."""
        base, dot, rest = name.partition(".")
        return f"{base}-{self.suffix}{dot}{rest}" if self.kafka else name

    def write(self, name="conversion-reports", change=None):
        """Writes a shipped pipeline, with topics of its own and the test's change; answers the file's path."""
        document = json.loads(json.dumps(self.pipelines[name]))
        for stage in document["stages"]:
            for part in [stage] + (stage.get("from") or []):
                if "topic" in part:
                    part["topic"] = self.topic(part["topic"])
        if change:
            change({stage["id"]: stage for stage in document["stages"]}, document)
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document, indent=2))
        return str(path)

    # Processes

    def call(self, *arguments, check=True, timeout=LIMIT, **more):
        result = subprocess.run(
            [PENSTOCK, *map(str, arguments)], cwd=self.folder, env={**self.environment, **more},
            capture_output=True, text=True, timeout=timeout)
        if check:
            assert result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def start(self, *arguments, command="run", serving=True, stdin=None, **more):
        """Starts `penstock run` (or another command that serves) and waits until it runs (and serves)."""
        self.logs += 1
        log = self.folder / f"run-{self.logs}.log"
        with open(log, "w") as out:
            process = subprocess.Popen(
                [PENSTOCK, command, "--log-format", "json", *map(str, arguments)], cwd=self.folder,
                env={**self.environment, **more}, stdin=stdin, stdout=out, stderr=subprocess.STDOUT)
        process.log = log
        self.processes.append(process)
        wanted = '"serving"' if serving else '"running"'

        def is_up():
            assert process.poll() is None, log.read_text()
            return wanted in log.read_text()

        eventually(is_up, f"{arguments} runs")
        return process

    def ready(self):
        """Waits until the API's pipelines take requests in."""
        eventually(lambda: self.call("health", "--server", f"127.0.0.1:{self.port}", check=False).returncode == 0, "it serves")

    def stop(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        code = process.wait(LIMIT)
        if number == signal.SIGTERM:
            assert code == 0, process.log.read_text()
        return code

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(LIMIT)
        if self.database:
            self.sql(f"drop database {self.database} with (force)", admin=True)

    def logged_all(self, process):
        return [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]

    def logged(self, process, message):
        return [event for event in self.logged_all(process) if event["message"] == message]

    # The database, by psql: another program than ours

    def sql(self, statement, admin=False):
        url = self.admin_url if admin else self.environment["PENSTOCK_STORE"]
        result = subprocess.run(
            ["psql", url, "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True, text=True, timeout=LIMIT)
        assert result.returncode == 0, result.stderr
        return [line.split("\t") for line in result.stdout.splitlines() if line]

    @contextlib.contextmanager
    def locked(self, table):
        """A lock that another program keeps: whoever wants the table waits."""
        process = subprocess.Popen(
            ["psql", self.environment["PENSTOCK_STORE"], "-X", "-q"], stdin=subprocess.PIPE, text=True)
        process.stdin.write(f"begin; lock table {table} in access exclusive mode;\n")
        process.stdin.flush()
        eventually(lambda: self.sql(
            f"select 1 from pg_locks where relation = '{table}'::regclass and mode = 'AccessExclusiveLock' and granted"),
            "the lock")
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(LIMIT)

    # Kafka, by confluent-kafka

    def produce(self, topic, messages, **more):
        """messages: (key, value, headers) each."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.kafka, "linger.ms": 5, **more})
        failed = []

        def reported(error, _):
            if error:
                failed.append(error)

        for key, value, headers in messages:
            producer.produce(self.topic(topic), value, key, headers=headers, on_delivery=reported)
            producer.poll(0)
        assert producer.flush(LIMIT) == 0 and not failed, failed

    def consume(self, topic, count=None, settled=None, distinct=None):
        """Everything in a topic; waits until there are `count` messages, or as many for which `distinct` answers different
        values where some may have been written twice, or until `settled(messages)` is true."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.kafka, "group.id": f"reader-{uuid.uuid4()}",
            "auto.offset.reset": "earliest", "enable.auto.commit": False})
        consumer.subscribe([self.topic(topic)])
        messages = []

        def enough():
            for message in consumer.consume(1000, 0.2):
                if not message.error():
                    messages.append(message)
            if settled:
                return settled(messages)
            return len(set(map(distinct, messages)) if distinct else messages) >= (count or 0)

        try:
            eventually(enough, f"{count} messages in {topic}", every=0)
        finally:
            consumer.close()
        return messages

    def reset_group(self, group, topic):
        """What an operator does with kafka-consumer-groups --reset-offsets --to-earliest."""
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.kafka})
        topic = self.topic(topic)
        partitions = admin.list_topics(topic, LIMIT).topics[topic].partitions
        wanted = confluent_kafka.ConsumerGroupTopicPartitions(
            group, [confluent_kafka.TopicPartition(topic, p, 0) for p in partitions])
        admin.alter_consumer_group_offsets([wanted])[group].result(LIMIT)

    # gRPC, by grpcio with reflection: no proto file, no generated code

    def api(self, token=None):
        return Reflected(f"127.0.0.1:{self.port}", token=token)


class Reflected:
    """Calls the service with what its reflection tells, or what the client has known before."""

    def __init__(self, target, service="conversionreports.v1.ReportService", known=None, token=None):
        from google.protobuf import descriptor_pool, message_factory
        from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
        self.channel = grpc.insecure_channel(target)
        self.metadata = [("authorization", f"Bearer {token}")] if token else None
        pool = known or descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self.methods = {}
        service = pool.FindServiceByName(service)
        for method in service.methods:
            self.methods[method.name] = (
                message_factory.GetMessageClass(method.input_type),
                self.channel.unary_unary(
                    f"/{service.full_name}/{method.name}",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=message_factory.GetMessageClass(method.output_type).FromString))

    def request(self, method, fields):
        from google.protobuf import json_format
        return json_format.ParseDict(fields, self.methods[method][0]())

    def __call__(self, method, within=LIMIT, **fields):
        from google.protobuf import json_format
        response = self.methods[method][1](self.request(method, fields), timeout=within, metadata=self.metadata)
        return json_format.MessageToDict(response, preserving_proto_field_name=True)
