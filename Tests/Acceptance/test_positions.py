"""Where reading goes on: two buses with one topic name, topics and files that are made anew."""

import json
import os
import sqlite3
import subprocess
import uuid

from stack import eventually

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
