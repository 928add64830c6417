"""Where reading goes on: two buses with one topic name, topics and files that are made anew."""

import json
import os
import sqlite3
import subprocess
import uuid

import confluent_kafka
from stack import eventually, free_port
from test_admin import Operator, begun, put
from test_outages import http

KAFKA_TOPICS = os.path.join(os.environ.get("KAFKA_HOME", "/opt/kafka"), "bin", "kafka-topics.sh")


def requests(count):
    return [
        json.dumps({
            "case_id": str(uuid.uuid4()), "product_id": "product-1",
            "period": {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-11-02T00:00:00Z"}})
        for _ in range(count)
    ]


def pipeline(stack, name, resources, stages):
    path = stack.folder / f"{name}.json"
    path.write_text(json.dumps({
        "version": 1, "name": name, "sla": "24h",
        "resources": {key: {"url": url} for key, url in resources.items()}, "stages": stages}))
    return str(path)


def send(stack, bus, topic, lines):
    """Writes lines to a topic, as a pipeline of its own does."""
    file = pipeline(stack, "send", {"lines": "stdio:", "bus": bus}, [
        {"id": "in", "type": "ingest", "from": [{"resource": "lines"}]},
        {"id": "out", "type": "publish", "to": "bus", "topic": topic}])
    result = subprocess.run(
        [os.environ["PENSTOCK"], "run", file], input="".join(f"{line}\n" for line in lines), text=True,
        cwd=stack.folder, env=stack.environment, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr


def accepting(stack, inputs, resources, **settings):
    return pipeline(stack, "accept", {**resources, "store": "embedded:store.sqlite"}, [
        {"id": "in", "type": "ingest", "codec": "report-request",
         "from": [{"resource": name, **({"topic": topic} if topic else {}), **settings} for name, topic in inputs]},
        {"id": "batch", "type": "accumulate", "store": "store", "trigger": {"max_age": "12h"}},
        {"id": "reports", "type": "generate", "generator": "conversion", "store": "store"}])


def accepted(stack):
    path = stack.folder / "store.sqlite"
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
        try:
            return store.execute("select count(*) from ledger_cases").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def kafka(stack, *arguments):
    subprocess.run([KAFKA_TOPICS, "--bootstrap-server", stack.kafka, *arguments], check=True, capture_output=True)


def test_two_files_with_a_topic_of_one_name_are_both_read(embedded):
    send(embedded, "embedded:a.sqlite", "requests", requests(40))
    send(embedded, "embedded:b.sqlite", "requests", requests(25))
    file = accepting(
        embedded, [("a", "requests"), ("b", "requests")], {"a": "embedded:a.sqlite", "b": "embedded:b.sqlite"},
        create={"partitions": 1})
    process = embedded.start(file, serving=False)
    eventually(lambda: accepted(embedded) == 65, f"{65} requests are accepted")
    embedded.stop(process)


def test_kafka_and_a_file_with_a_topic_of_one_name_are_both_read(real):
    bus, topic = f"kafka://{real.kafka}", real.topic("requests")
    kafka(real, "--create", "--topic", topic, "--partitions", "1")
    send(real, bus, topic, requests(40))
    send(real, "embedded:b.sqlite", topic, requests(25))
    file = accepting(real, [("a", topic), ("b", topic)], {"a": bus, "b": "embedded:b.sqlite"})
    process = real.start(file, serving=False)
    eventually(lambda: accepted(real) == 65, f"{65} requests are accepted")
    real.stop(process)


def test_a_topic_made_anew_is_not_read_on_and_from_its_start_if_that_is_wanted(real):
    bus, topic = f"kafka://{real.kafka}", real.topic("requests")
    kafka(real, "--create", "--topic", topic, "--partitions", "1")
    send(real, bus, topic, requests(101))
    file = accepting(real, [("bus", topic)], {"bus": bus})
    process = real.start(file, serving=False)
    eventually(lambda: accepted(real) == 101, f"{101} requests are accepted")
    real.stop(process)

    kafka(real, "--delete", "--topic", topic)
    kafka(real, "--create", "--topic", topic, "--partitions", "1")
    send(real, bus, topic, requests(450))
    process = real.start(file, serving=False)
    eventually(lambda: "topic-recreated" in process.log.read_text(), "the topic is found out")
    assert accepted(real) == 101
    assert "on_new_topic" in process.log.read_text()
    real.stop(process)

    file = accepting(real, [("bus", topic)], {"bus": bus}, on_new_topic="from_start")
    process = real.start(file, serving=False)
    eventually(lambda: accepted(real) == 551, f"{551} requests are accepted")
    real.stop(process)


def test_a_topic_made_anew_after_a_kill_is_found_out(real):
    """Whatever was stored last before the kill: it is of the old topic."""
    bus = f"kafka://{real.kafka}"
    for wait in (1, 60, 101):
        topic = real.topic(f"killed-{wait}")
        kafka(real, "--create", "--topic", topic, "--partitions", "1")
        file = accepting(real, [("bus", topic)], {"bus": bus}, max_chunk=10)
        start = accepted(real)
        process = real.start(file, serving=False)
        send(real, bus, topic, requests(101))
        eventually(lambda: accepted(real) >= start + wait, f"{wait} requests are accepted", every=0.01)
        process.kill()
        process.wait()
        got = accepted(real)
        kafka(real, "--delete", "--topic", topic)
        kafka(real, "--create", "--topic", topic, "--partitions", "1")
        send(real, bus, topic, requests(450))
        process = real.start(file, serving=False)
        eventually(lambda: "topic-recreated" in process.log.read_text(), "the topic is found out")
        assert accepted(real) == got
        real.stop(process)


def test_a_compacted_topic_is_read_on_behind_a_record_that_is_gone(real):
    bus, topic = f"kafka://{real.kafka}", real.topic("compacted")
    kafka(real, "--create", "--topic", topic, "--partitions", "1", *[
        part for config in ("cleanup.policy=compact", "segment.ms=100", "min.cleanable.dirty.ratio=0.01",
                            "min.compaction.lag.ms=0", "delete.retention.ms=0", "file.delete.delay.ms=100")
        for part in ("--config", config)])
    name = topic.removesuffix(f"-{real.suffix}")

    def put(count, key):
        for request in requests(count):
            real.produce(name, [(key, request.encode(), [])])

    put(10, b"same")
    file = accepting(real, [("bus", topic)], {"bus": bus})
    process = real.start(file, serving=False)
    eventually(lambda: accepted(real) == 10, "10 requests are accepted")
    eventually(lambda: stored_positions(real) == [(10, 9)], "the topic is known by its last record")
    real.stop(process)

    # Newer records of the same key, until the cleaner has taken the one that the store knows the topic by.
    put(5, b"same")
    reader = confluent_kafka.Consumer({"bootstrap.servers": real.kafka, "group.id": topic, "enable.partition.eof": False})

    def is_gone():
        put(1, b"other")
        reader.assign([confluent_kafka.TopicPartition(topic, 0, 9)])
        found = reader.consume(1, 5)
        return found and found[0].offset() > 9

    eventually(is_gone, "the record is compacted away", every=1)
    reader.close()
    put(3, b"last")
    newest = requests(1)[0]
    real.produce(name, [(b"newest", newest.encode(), [])])
    dry = real.call("dry-run", file, "--arrivals", "uniform 10/h for 1h", check=False)
    assert "is not the log" not in dry.stdout
    process = real.start(file, serving=False)
    eventually(lambda: known(real, json.loads(newest)["case_id"]), "the newest request is accepted")
    assert "topic-recreated" not in process.log.read_text()
    real.stop(process)


def test_an_embedded_bus_restored_from_a_copy_is_not_read_on(embedded):
    bus = embedded.folder / "bus.sqlite"

    def sent_and_copied(count, copy):
        send(embedded, "embedded:bus.sqlite", "requests", requests(count))
        with sqlite3.connect(bus) as source:
            source.execute("pragma wal_checkpoint(truncate)")
        copy.write_bytes(bus.read_bytes())

    def restore(copy):
        for end in ("-wal", "-shm"):
            (embedded.folder / f"bus.sqlite{end}").unlink(missing_ok=True)
        bus.write_bytes(copy.read_bytes())

    old = embedded.folder / "old.sqlite"
    file = accepting(embedded, [("bus", "requests")], {"bus": "embedded:bus.sqlite"}, create={"partitions": 1})
    sent_and_copied(5, old)
    send(embedded, "embedded:bus.sqlite", "requests", requests(5))
    process = embedded.start(file, serving=False)
    eventually(lambda: accepted(embedded) == 10, "10 requests are accepted")
    embedded.stop(process)
    simulated = ("--arrivals", "uniform 10/h for 1h")
    assert "is not the log" not in embedded.call("dry-run", file, *simulated, check=False).stdout
    restore(old)
    # Shorter than what was read; then longer, with other records in the place of the lost ones.
    for count in (0, 20):
        if count:
            send(embedded, "embedded:bus.sqlite", "requests", requests(count))
        dry = embedded.call("dry-run", file, *simulated, check=False)
        assert dry.returncode == 1 and "is not the log that was read" in dry.stdout, dry.stdout
        process = embedded.start(file, serving=False)
        eventually(lambda: "topic-recreated" in process.log.read_text(), "the bus is found out")
        assert accepted(embedded) == 10
        embedded.stop(process)
    # Another file under the name is another bus: it is read from its start.
    for end in ("", "-wal", "-shm"):
        (embedded.folder / f"bus.sqlite{end}").unlink(missing_ok=True)
    send(embedded, "embedded:bus.sqlite", "requests", requests(3))
    process = embedded.start(file, serving=False)
    eventually(lambda: accepted(embedded) == 13, "3 requests more are accepted")
    embedded.stop(process)


def stored_positions(stack):
    with sqlite3.connect(f"file:{stack.folder / 'store.sqlite'}?mode=ro", uri=True) as store:
        return store.execute("select next_offset, witness_offset from ledger_positions order by source").fetchall()


def known(stack, case_id):
    with sqlite3.connect(f"file:{stack.folder / 'store.sqlite'}?mode=ro", uri=True) as store:
        return store.execute("select 1 from ledger_cases where id = ?", (uuid.UUID(case_id).bytes,)).fetchone()


def test_a_file_that_was_replaced_is_read_from_its_start(embedded):
    lines = embedded.folder / "requests.jsonl"
    file = accepting(embedded, [("lines", None)], {"lines": "file:requests.jsonl"})
    for count, total in ((30, 30), (5, 35), (40, 75)):
        lines.unlink(missing_ok=True)
        lines.write_text("".join(f"{line}\n" for line in requests(count)))
        process = embedded.start(file, serving=False)
        eventually(lambda: accepted(embedded) == total, f"{total} requests are accepted")
        embedded.stop(process)


def test_a_store_that_is_deleted_while_it_is_used_ends_the_run_with_a_sentence(embedded):
    file = accepting(embedded, [("bus", "requests")], {"bus": "embedded:bus.sqlite"}, create={"partitions": 1})
    process = embedded.start(file, serving=False)
    eventually(lambda: (embedded.folder / "bus.sqlite").exists(), "the bus is there")
    for end in ("", "-wal", "-shm"):
        (embedded.folder / f"bus.sqlite{end}").unlink(missing_ok=True)
    assert process.wait(timeout=30) == 69
    assert "was deleted while it was in use" in process.log.read_text()


def test_a_dry_run_says_that_a_topic_was_made_anew(real):
    bus, topic = f"kafka://{real.kafka}", real.topic("requests")
    kafka(real, "--create", "--topic", topic, "--partitions", "1")
    send(real, bus, topic, requests(10))
    file = accepting(real, [("bus", topic)], {"bus": bus})
    process = real.start(file, serving=False)
    eventually(lambda: accepted(real) == 10, "10 requests are accepted")
    real.stop(process)
    before = real.call("dry-run", file, "--arrivals", "uniform 10/h for 1h", check=False)
    assert "is not the log" not in before.stdout

    kafka(real, "--delete", "--topic", topic)
    kafka(real, "--create", "--topic", topic, "--partitions", "1")
    for count in (5, 20):
        send(real, bus, topic, requests(count))
        after = real.call("dry-run", file, "--arrivals", "uniform 10/h for 1h", check=False)
        assert after.returncode == 1, after.stdout
        assert "is not the log that was read" in after.stdout and "on_new_topic" in after.stdout


def offsets(operator):
    return [json.loads(line)["offset"] for line in operator("positions get --format json").stdout.splitlines()]


def test_an_input_that_stands_still_shows_and_goes_on_where_it_is_set_to(stack):
    port = free_port()
    path, process = begun(stack)
    operator, topic = Operator(stack, path), stack.topic("report-requests")
    put(stack, process, [str(uuid.uuid4()) for _ in range(3)])
    eventually(lambda: offsets(operator) == [3], "three are taken in")
    stack.stop(process)
    # As an earlier version let somebody set it.
    if stack.kafka:
        stack.sql("update penstock.positions set next_offset = 50")
    else:
        with sqlite3.connect(stack.folder / "data" / "penstock.sqlite") as store:
            store.execute("update ledger_positions set next_offset = 50")
    process = stack.start("--admin", f"127.0.0.1:{port}", path)

    def told(code, text):
        found, said = http(port, "/readyz?verbose")
        return found == code and text in said

    eventually(lambda: told(503, f"{topic} is not the log that was read: partition 0 was read up to offset 50"), "it shows")
    assert "stage requests, input 1 is not read" in http(port, "/readyz")[1]
    operator("pause --intake")
    operator("positions set", topic, "0=1")
    operator("resume")
    eventually(lambda: offsets(operator) == [3], "it is read on")
    eventually(lambda: told(200, "ok  conversion-reports"), "it is ready")
    stack.stop(process)


def test_a_file_that_was_read_is_read_again_from_where_a_line_begins(stack):
    lines = requests(3)
    (stack.folder / "in").mkdir()
    (stack.folder / "in" / "requests.jsonl").write_text("".join(f"{line}\n" for line in lines))
    length = len(lines[0]) + 1
    path = pipeline(stack, "accept", {
        "lines": "file:in/requests.jsonl", "store": stack.environment.get("PENSTOCK_STORE", "embedded:store.sqlite")}, [
        {"id": "in", "type": "ingest", "codec": "report-request", "from": [{"resource": "lines"}]},
        {"id": "batch", "type": "accumulate", "store": "store", "trigger": {"max_age": "12h"}, "poll": "100ms"},
        {"id": "reports", "type": "generate", "generator": "conversion", "store": "store"}])
    stack.call("migrate", path)
    process = stack.start(path, serving=False)
    operator = Operator(stack, path)
    eventually(lambda: offsets(operator) == [3 * length], "all is read")
    operator("pause --intake")
    for name in ("requests.jsonl", "in/requests.jsonl", "file:in/requests.jsonl"):
        refused = operator("positions set", name, f"0={length + 5}", check=False)
        assert refused.returncode == 64, refused.stderr
        assert f"in the middle of a line: the nearest lines begin at {length} and {2 * length}" in refused.stderr, refused.stderr
    refused = operator("positions set", "requests.jsonl", f"0={3 * length + 1}", check=False)
    assert refused.returncode == 64 and f"has {3 * length} bytes" in refused.stderr, refused.stderr
    with open(stack.folder / "in" / "requests.jsonl", "a") as file:
        file.write(requests(1)[0] + "\n")
    operator("positions set", "requests.jsonl", "0=0")
    operator("resume")
    eventually(lambda: offsets(operator) == [4 * length], "it is read again, and what was added since")
    assert json.loads(operator("batches --format json").stdout)["open"]["cases"] == 4
    stack.stop(process)
