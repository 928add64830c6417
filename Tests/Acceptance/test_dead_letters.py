"""What a bus refuses for good is parked or kept, found by an operator, and replayed; nothing else waits for it."""

import json
import time
import urllib.request
import uuid

import confluent_kafka.admin
import grpc
import pytest
from kafka_server import KafkaServer

from stack import LIMIT, eventually, free_port

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}


def admin(stack):
    return confluent_kafka.admin.AdminClient({"bootstrap.servers": stack.kafka})


def create_topic(stack, name, partitions=1, replicas=1, **config):
    topic = confluent_kafka.admin.NewTopic(
        name, partitions, replicas, config={key.replace("_", "."): str(value) for key, value in config.items()})
    client = admin(stack)
    client.create_topics([topic])[name].result(LIMIT)


def configure_topic(stack, name, key, value):
    entry = confluent_kafka.admin.ConfigEntry(
        key, str(value), incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)
    resource = confluent_kafka.admin.ConfigResource("TOPIC", name, incremental_configs=[entry])
    client = admin(stack)
    client.incremental_alter_configs([resource])[resource].result(LIMIT)


def request(product):
    return {"case_id": str(uuid.uuid4()), "product_id": product, "period": MONTH}


def sent(requests):
    return [(r["case_id"].encode(), json.dumps(r).encode(), []) for r in requests]


def metric(port, name, **labels):
    """The sum of a metric's values with these labels; None if there is none."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).read().decode()
    lines = [line for line in text.splitlines() if line.startswith(name + "{") or line.startswith(name + " ")]
    lines = [line for line in lines if all(f'{key}="{value}"' in line for key, value in labels.items())]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines) if lines else None


def dead_letters(stack, path, *arguments):
    """What the command lists, as JSON."""
    result = stack.call("dead-letters", "list", path, "--format", "json", "--limit", 10000, *arguments)
    return [json.loads(line) for line in result.stdout.splitlines()]


def start(stack, *files, **more):
    port = free_port()
    process = stack.start("--admin", port, *files, **more)
    return process, port


def case_of(message):
    return json.loads(message.value())["case_id"]


def test_announcements_too_large_for_their_topic_are_parked_and_replayed_once_it_is_mended(real):
    topic = real.topic("report-ready")
    create_topic(real, topic, max_message_bytes=620)

    def change(stages, document):
        stages["batch"].update({"trigger": {"any": [{"count": 1000}, {"max_age": "1h"}]}, "max_batch": 1000, "min_interval": "0s", "retention": "1s"})

    path = real.write(change=change)
    real.call("migrate", path)
    process, port = start(real, path)
    small = [request(f"p-{i}") for i in range(900)]
    large = [request(f"{i:03}" + "p" * 190) for i in range(100)]
    wanted = small + large
    real.produce("report-requests", sent(wanted))
    assert {case_of(m) for m in real.consume("report-ready", count=900)} == {r["case_id"] for r in small}

    parked = eventually(lambda: dead_letters(real, path), "parked outcomes are listed")
    assert {letter["case_id"] for letter in parked} == {r["case_id"] for r in large}
    assert {letter["code"] for letter in parked} == {"record-too-large"}
    assert all(letter["parked_at"].startswith("20") and letter["parked_at"].endswith("Z") for letter in parked), parked
    assert real.sql("select state, count(*) from penstock.outcomes group by 1") == [["s", "1000"]]
    eventually(lambda: metric(port, "penstock_parked_outcomes", stage="ready") == 100, "the gauge")
    assert metric(port, "penstock_parked_outcomes_total", stage="ready", code="record-too-large") == 100
    assert metric(port, "penstock_waiting_dead_letters", place="sink", stage="ready") == 100
    told = real.logged(process, "the sink refuses outcomes for good: they are parked (penstock dead-letters)")
    assert len(told) == 1 and told[0]["metadata"]["refused"] == "100", told

    # Retention is over, but what is parked is not forgotten; nor by a restart.
    real.stop(process)
    process, port = start(real, path)
    extra = [request("q") for _ in range(1000)]
    real.produce("report-requests", sent(extra))
    eventually(lambda: real.sql("select count(*) from penstock.batches") == [["1"]], "the other batch is purged")
    assert len(dead_letters(real, path)) == 100

    # Replayed too early they are refused again, and nobody else notices.
    assert "100" in real.call("dead-letters", "replay", path, "--all").stdout
    eventually(lambda: {letter["attempts"] for letter in dead_letters(real, path)} == {2}, "refused again")

    configure_topic(real, topic, "max.message.bytes", 100000)
    one = parked[0]
    shown = real.call("dead-letters", "show", path, one["id"]).stdout
    assert one["event_id"] in shown and "record-too-large" in shown
    real.call("dead-letters", "replay", path, "--all")
    everything = real.consume("report-ready", count=2000)
    late = {case_of(m): json.loads(m.value())["event_id"] for m in everything
            if case_of(m) in {r["case_id"] for r in large}}
    assert late == {letter["case_id"]: letter["event_id"] for letter in parked}
    assert len(everything) == 2000, "exactly the parked ones were announced again"
    eventually(lambda: dead_letters(real, path) == [], "nothing is parked any more")
    eventually(lambda: real.sql("select count(*) from penstock.batches") == [["0"]], "the batch is purged")
    real.stop(process)


def test_a_record_of_a_million_bytes_that_is_no_json_is_a_dead_letter_and_nobody_waits_for_it(real):
    path = real.write()
    real.call("migrate", path)
    process, port = start(real, path)
    assert metric(port, "penstock_rejected_records_total", stage="requests", code="too-large") == 0
    waiting = {"place": "topic", "topic": real.topic("report-requests.dead-letters")}
    assert metric(port, "penstock_waiting_dead_letters", **waiting) == 0
    before, after = request("p-1"), request("p-2")
    real.produce("report-requests", sent([before]) + [(b"k", b"x" * 1_000_000, [("trace", b"1")])],
                 **{"message.max.bytes": 2_000_000})
    real.produce("report-requests", sent([after]))
    dead = real.consume("report-requests.dead-letters", count=1)
    assert dead[0].value() == b"x" * 1_000_000 and dict(dead[0].headers())["trace"] == b"1"
    eventually(lambda: real.sql("select count(*) from penstock.cases") == [["2"]], "both requests")
    assert metric(port, "penstock_rejected_records_total", stage="requests", code="too-large") == 1
    assert len(real.logged(process, "record refused")) == 1
    [letter] = dead_letters(real, path)
    assert letter["payload"] == "x" * 1_000_000 and letter["code"] == "too-large" and "refusal" not in letter, letter.keys()
    eventually(lambda: metric(port, "penstock_waiting_dead_letters", **waiting) == 1, "the gauge")
    real.stop(process)


@pytest.mark.parametrize("trouble", ["limit", "name"])
def test_what_its_topic_does_not_take_is_kept_in_the_store_and_replayed(real, trouble):
    topic = real.topic("report-requests")
    dead = f"{topic}.dead-letters"
    if trouble == "limit":
        create_topic(real, dead, max_message_bytes=400)
    else:
        # Kafka keeps names apart that differ in dots and underscores only.
        create_topic(real, dead.replace(".", "_"))
    path = real.write()
    real.call("migrate", path)
    process, port = start(real, path)
    good = request("p-1")
    wrong = {**good, "product_id": "another"}
    headers = [("trace", b"\x00\xff"), ("null", None), ("empty", b"")]
    real.produce("report-requests", sent([good]))
    eventually(lambda: real.sql("select count(*) from penstock.cases") == [["1"]], "the request")
    real.produce("report-requests", [
        (b"key", b"{" + b" " * 1000, headers), (None, json.dumps(wrong).encode() + b" " * 1000, [])])
    real.produce("report-requests", sent([request("p-2")]))
    eventually(lambda: real.sql("select count(*) from penstock.cases") == [["2"]], "records behind it")
    letters = eventually(lambda: [x for x in [dead_letters(real, path)] if len(x) == 2], "both dead letters")[0]
    letters.sort(key=lambda letter: letter["code"], reverse=True)
    assert [letter["code"] for letter in letters] == ["malformed", "conflict"], letters
    first = letters[0]
    assert abs(first["kept_at_microseconds"] / 1e6 - time.time()) < 600, first
    assert (first["key"], first["payload"], first["origin"]) == ("key", "{" + " " * 1000, topic)
    assert first["headers"] == [
        {"name": "trace", "value_base64": "AP8="}, {"name": "null", "value": None}, {"name": "empty", "value": ""}]
    eventually(lambda: metric(port, "penstock_stored_dead_letters", stage="requests") == 1, "the gauge")
    assert metric(port, "penstock_dead_letters_kept_elsewhere_total", place="store") == 2
    assert metric(port, "penstock_waiting_dead_letters", place="store", stage="requests") == 1
    assert process.poll() is None

    # The topic is mended; a replay hands the records to where they came from, and they are refused again.
    if trouble == "limit":
        configure_topic(real, dead, "max.message.bytes", 100000)
    else:
        client = admin(real)
        client.delete_topics([dead.replace(".", "_")])[dead.replace(".", "_")].result(LIMIT)
    real.stop(process)
    process, port = start(real, path)
    real.call("dead-letters", "replay", path, first["id"])
    moved = real.consume("report-requests.dead-letters", count=1)[0]
    assert moved.value() == b"{" + b" " * 1000 and moved.key() == b"key"
    assert moved.headers()[:3] == headers
    assert ("penstock-replayed-offset", str(first["offset"]).encode()) in moved.headers()
    # One in the store, and one in the topic that takes dead letters now.
    left = dead_letters(real, path)
    assert [(x["code"], x["id"].startswith(f"bus:{dead}/")) for x in left] == [("conflict", False), ("malformed", True)], left
    assert "2 dropped" in real.call("dead-letters", "drop", path, "--all").stdout
    assert dead_letters(real, path) == []
    assert "drop of dead letters: all" in real.call("changes", path).stdout
    real.stop(process)


@pytest.fixture
def strict(real):
    """The program on a broker that knows rights."""
    kafka = KafkaServer(real.folder)
    kafka.start()
    real.kafka = kafka.bootstrap
    real.environment["PENSTOCK_BUS"] = f"kafka://{kafka.bootstrap}"
    real.broker = kafka
    yield real
    kafka.stop()


def test_a_broker_that_refuses_dead_letters_holds_nothing_up(strict):
    """Too few replicas, no right to write, none at all, none to make the topic: a topic each."""
    topics = {trouble: strict.topic(f"requests-{trouble}") for trouble in ("replicas", "write", "all", "create")}
    dead = {trouble: f"{topic}.dead-letters" for trouble, topic in topics.items()}
    for topic in topics.values():
        create_topic(strict, topic)
    create_topic(strict, dead["write"])
    strict.broker.deny("WRITE", "TOPIC", dead["write"])
    create_topic(strict, dead["all"])
    strict.broker.deny("ALL", "TOPIC", dead["all"])
    strict.broker.deny("CREATE", "TOPIC", dead["create"])
    strict.broker.deny("CREATE", "BROKER", "kafka-cluster")

    def change(stages, document):
        # No caller: nothing is served.
        stages["requests"]["from"] = [{"resource": "bus", "topic": topic} for topic in topics.values()]
        # What librdkafka may wait for replicas before the pipeline hears of it.
        document["resources"]["bus"]["message.timeout.ms"] = "5000"

    path = strict.write(change=change)
    strict.call("migrate", path)
    process, port = start(strict, path, serving=False)
    # The group's own topics are on the broker that stays.
    for name in topics:
        strict.produce(f"requests-{name}", sent([request("p")]))
    eventually(lambda: strict.sql("select count(*) from penstock.cases") == [["4"]], "the requests before them")
    strict.broker.start_second()
    create_topic(strict, dead["replicas"], replicas=2, min_insync_replicas=2)
    strict.broker.kill_second()
    eventually(lambda: len(admin(strict).list_topics(dead["replicas"], LIMIT).topics[dead["replicas"]].partitions[0].isrs) == 1,
               "one replica is left")
    for name in topics:
        strict.produce(f"requests-{name}", [(b"key", b"{", [("trace", b"1")])] + sent([request("p")]))
    eventually(lambda: strict.sql("select count(*) from penstock.cases") == [["8"]], "the requests behind them")
    letters = eventually(lambda: [x for x in [dead_letters(strict, path)] if len(x) == 4], "the dead letters")[0]
    assert {(x["origin"], x["key"], x["payload"]) for x in letters} == {(t, "key", "{") for t in topics.values()}, letters
    refusals = {letter["origin"]: letter["refusal"] for letter in letters}
    assert "replicas" in refusals[topics["replicas"]], refusals
    for trouble in ("write", "all", "create"):
        assert "bus-forbidden" in refusals[topics[trouble]], refusals
    assert process.poll() is None
    assert metric(port, "penstock_dead_letters_kept_elsewhere_total", place="store") == 4
    strict.stop(process)


def test_announcements_without_a_right_wait_for_it(strict):
    ready = strict.topic("report-ready")
    create_topic(strict, ready)
    strict.broker.deny("WRITE", "TOPIC", ready)

    def change(stages, document):
        stages["batch"].update({"trigger": {"any": [{"count": 3}, {"max_age": "1h"}]}, "min_interval": "0s"})

    path = strict.write(change=change)
    strict.call("migrate", path)
    process, port = start(strict, path)
    wanted = [request(f"p-{i}") for i in range(3)]
    strict.produce("report-requests", sent(wanted))
    eventually(lambda: strict.sql("select count(*) from penstock.outcomes") == [["3"]], "the answers are there")
    eventually(lambda: "bus-forbidden" in process.log.read_text(), "somebody says why nothing is announced")
    assert process.poll() is None
    strict.broker.allow_all("TOPIC", ready)
    told = strict.consume("report-ready", count=3)
    assert {case_of(m) for m in told} == {r["case_id"] for r in wanted}
    strict.stop(process)


def test_without_a_store_a_file_takes_what_the_topic_does_not(real):
    topic = real.topic("raw")
    create_topic(real, topic)
    create_topic(real, f"{topic}.dead-letters", max_message_bytes=400)
    path = real.folder / "copy.json"
    path.write_text(json.dumps({
        "version": 1, "name": "copy", "resources": {"bus": {"url": f"kafka://{real.kafka}"}, "out": {"url": "file:out.jsonl"}},
        "stages": [
            {"id": "in", "type": "ingest", "codec": "report-request", "from": [{"resource": "bus", "topic": topic}]},
            {"id": "out", "type": "publish", "to": "out"}]}))
    process = real.start(str(path), serving=False)
    real.produce("raw", [(None, b"{" + b" " * 1000, [("null", None)])])
    real.produce("raw", sent([request("p")]))
    eventually(lambda: (real.folder / "out.jsonl").exists() and (real.folder / "out.jsonl").read_text(), "records behind it")
    kept = [json.loads(line) for line in (real.folder / "data/copy.in.dead-letters").read_text().splitlines()]
    assert [(k["code"], k["payload"], k["headers"]) for k in kept] == [
        ("malformed", "{" + " " * 1000, [{"name": "null", "value": None}])]
    real.stop(process)


def lines_pipeline(stack, store=True):
    """A file of requests, into a store or a topic."""
    path = stack.folder / "lines.json"
    tail = [
        {"id": "batch", "type": "accumulate", "store": "store", "trigger": {"max_age": "12h"}},
        {"id": "reports", "type": "generate", "generator": "conversion", "store": "store"},
    ] if store else [{"id": "out", "type": "publish", "to": "out"}]
    resources = {"lines": {"url": "file:requests.jsonl"}}
    resources |= {"store": {"url": "embedded:store.sqlite"}} if store else {"out": {"url": "file:out.jsonl"}}
    path.write_text(json.dumps({
        "version": 1, "name": "lines", "sla": "24h", "resources": resources,
        "stages": [{"id": "in", "type": "ingest", "codec": "report-request", "from": [{"resource": "lines"}]}, *tail]}))
    return str(path)


@pytest.mark.parametrize("trouble", ["folder", "full"])
@pytest.mark.parametrize("store", [True, False])
def test_a_line_whose_dead_letter_its_file_does_not_take_is_kept_elsewhere(embedded, trouble, store):
    path = lines_pipeline(embedded, store)
    lines = [json.dumps(request("p")), "{bad", json.dumps(request("q"))]
    (embedded.folder / "requests.jsonl").write_text("".join(f"{line}\n" for line in lines))
    dead = embedded.folder / "requests.jsonl.dead-letters"
    dead.mkdir() if trouble == "folder" else dead.symlink_to("/dev/full")
    if store:
        process = embedded.start(path, serving=False)
        [letter] = eventually(lambda: dead_letters(embedded, path), "the dead letter is kept")
        assert abs(letter["kept_at_microseconds"] / 1e6 - time.time()) < 600, letter
        assert (letter["code"], letter["payload"], letter["stage"]) == ("malformed", "{bad", "in"), letter
        # A line goes back into no topic: it is told, and stays.
        replayed = embedded.call("dead-letters", "replay", path, "--all", check=False)
        assert replayed.returncode == 1 and "0 replayed; letter 1 can't be replayed" in replayed.stderr, replayed.stderr
        assert len(dead_letters(embedded, path)) == 1
        assert "1 dropped" in embedded.call("dead-letters", "drop", path, "--all").stdout
        embedded.stop(process)
    else:
        # Without a store `run` ends with the file.
        assert "kept elsewhere" in embedded.call("run", path).stderr
        kept = (embedded.folder / "data/lines.in.dead-letters").read_text().splitlines()
        assert [(json.loads(k)["code"], json.loads(k)["payload"]) for k in kept] == [("malformed", "{bad")]
        assert len((embedded.folder / "out.jsonl").read_text().splitlines()) == 2


def test_a_command_that_looks_for_dead_letters_makes_no_store(embedded):
    path = embedded.write("conversion-events")
    for command in ("list", "replay", "drop"):
        result = embedded.call("dead-letters", command, path, *(["--all"] if command != "list" else []), check=False)
        assert result.returncode == 69 and "the file is not there" in result.stderr, result.stderr
        assert "PENSTOCK_STORE is not set here" in result.stderr, result.stderr
    for option in ("--rename=a=b", "--abandon=a"):
        result = embedded.call("migrate", option, path, check=False)
        assert result.returncode == 69 and "the file is not there" in result.stderr, result.stderr
    assert not (embedded.folder / "data").exists() or not list((embedded.folder / "data").iterdir())
    process = embedded.start(path, serving=False)
    assert dead_letters(embedded, path) == []
    embedded.stop(process)
    assert dead_letters(embedded, path) == []


def test_whatever_refuses_is_named_in_a_metric_and_in_the_log(real):
    path, events = real.write(), real.write("conversion-events")
    real.call("migrate", path, events)
    process, port = start(real, path, events)
    api = real.api()
    known = request("p-1")
    api("CreateReport", request=known)
    real.produce("report-requests", [(b"k", b"{", [])] * 3 + sent([{**known, "product_id": "p-2"}]))
    real.produce("conversion-events", [(b"k", b"no event", [])] * 2)
    with pytest.raises(grpc.RpcError) as conflict:
        api("CreateReport", request={**known, "product_id": "p-3"})
    assert conflict.value.code() == grpc.StatusCode.ALREADY_EXISTS
    with pytest.raises(grpc.RpcError) as invalid:
        api("CreateReport", request={**known, "product_id": ""})
    assert invalid.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    wanted = {("requests", "malformed"): 3, ("requests", "invalid-argument"): 1, ("batch", "conflict"): 2, ("events", "malformed"): 2}

    def counted():
        return {kind: metric(port, "penstock_rejected_records_total", stage=kind[0], code=kind[1]) for kind in wanted}

    eventually(lambda: counted() == wanted, "all are counted", limit=30)
    real.stop(process)
    told = {}
    for event in real.logged(process, "record refused") + real.logged(process, "records refused"):
        about = event["metadata"]
        kind = about["stage"], about["code"]
        told[kind] = told.get(kind, 0) + int(about["records"])
    assert told == wanted
