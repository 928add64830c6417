"""On Kafka, PostgreSQL and Redis, with the same pipeline files."""

import json
import os
import random
import signal
import uuid

import grpc
import pytest
import redis_server

from events import Events, check, requests, written
from stack import eventually, free_port


def protobuf(api, request):
    """The request as protobuf, by Python's own implementation, from the reflected description."""
    return api.request("CreateReport", {"request": request}).request.SerializeToString()


def sample(stack, days=2, **more):
    stack.call("migrate", stack.write(), stack.write("conversion-events"))
    stack.call("sample-data", "--days", days, "--views-per-day", 5000, "--payments-per-day", 400,
               "--products", 100, "--emit", "events.jsonl")
    return Events(stack.folder / "events.jsonl")


def message(request, api=None):
    if api:
        return None, protobuf(api, request), [("content-type", b"application/x-protobuf")]
    return request["case_id"].encode(), json.dumps(request).encode(), []


def seal(count):
    def change(stages, document):
        stages["batch"]["trigger"] = {"any": [{"count": count}, {"manual": True}]}
        stages["batch"]["min_interval"] = "0s"
    return change


def batches(stack):
    return stack.sql("select batch_no, cardinality(cases), closed_by from penstock.batches order by 1")


def test_nine_batches_from_foreign_clients_and_a_replay_that_changes_nothing(real):
    events = sample(real)
    files = [real.write(), real.write("conversion-events")]
    process = real.start(*files)
    api = real.api()
    rng = random.Random(7)
    wanted = requests(events, 4608, seed=5)
    messages = [message(r, api if i % 2 else None) for i, r in enumerate(wanted)]
    messages += rng.sample(messages, 460)
    malformed = [(None, f"nonsense {i}".encode(), [("trace", f"{i}".encode())]) for i in range(46)]
    everything = messages[:4608] + messages[4608:] + malformed
    rng.shuffle(everything)
    real.produce("report-requests", everything)

    ready = real.consume("report-ready", settled=lambda m: len({json.loads(x.value())["case_id"] for x in m}) == 4608)
    found = batches(real)
    assert [int(b[1]) for b in found] == [512] * 9, found
    assert {b[2] for b in found} == {"count"}
    first = {}
    for announced in ready:
        body = json.loads(announced.value())
        assert first.setdefault(body["case_id"], announced.value()) == announced.value()
        assert announced.key().decode() == body["case_id"]
    for request in wanted:
        check(json.loads(first[request["case_id"]])["report"], request, events)

    dead = real.consume("report-requests.dead-letters", count=46)
    assert sorted(d.value() for d in dead) == sorted(m[1] for m in malformed)
    for letter in dead:
        headers = dict(letter.headers())
        assert headers["penstock-stage"] == b"requests" and headers["penstock-reason"]
        assert headers["penstock-origin-topic"].decode() == real.topic("report-requests")
        assert headers["trace"].decode() == letter.value().decode().split()[1]
        assert {"penstock-code", "penstock-attempts", "penstock-origin-partition", "penstock-origin-offset"} <= set(headers)

    for request in rng.sample(wanted, 50):
        check(api("GetReport", case_id=request["case_id"])["report"], request, events)

    # An operator resets the groups; both pipelines run again: nothing changes.
    before = real.sql("select count(*), max(batch_no) from penstock.outcomes")
    totals = real.sql("select sum(views), sum(payments) from conversion.rollup_day")
    real.stop(process)
    real.reset_group("conversion-reports.requests", "report-requests")
    again = real.start(*files)
    real.api()
    real.produce("report-requests", [message(wanted[0])])
    extra = requests(events, 1, seed=6)[0]
    real.produce("report-requests", [message(extra)])
    real.call("flush", files[0], "batch")
    eventually(lambda: real.sql(f"select 1 from penstock.cases where key = '{extra['case_id']}'"), "the new request")
    assert real.sql("select count(*) from penstock.cases") == [["4609"]]
    assert real.sql("select sum(views), sum(payments) from conversion.rollup_day") == totals
    assert before[0][0] == "4608"
    real.stop(again)


def test_events_from_kafka_count_once_whatever_is_replayed(real):
    files = [real.write("conversion-events")]
    real.call("migrate", *files)
    process = real.start(*files, serving=False)
    events = [
        {"event_id": str(uuid.uuid4()), "kind": "VIEW" if i % 7 else "PAYMENT", "product_id": f"p-{i % 5}",
         "occurred_at": f"2026-10-{1 + i % 28:02}T{i % 24:02}:00:00Z"} for i in range(5000)]
    real.produce("conversion-events", [(e["product_id"].encode(), json.dumps(e).encode(), []) for e in events])

    def totals():
        return real.sql("select kind, count(*) from conversion.events group by 1 order by 1")

    payments = sum(e["kind"] == "PAYMENT" for e in events)
    expected = [["P", str(payments)], ["V", str(5000 - payments)]]
    eventually(lambda: totals() == expected, "all events are stored")
    real.stop(process)
    real.reset_group("conversion-events.events", "conversion-events")
    process = real.start(*files, serving=False)
    last = {**events[0], "event_id": str(uuid.uuid4()), "product_id": "last"}
    real.produce("conversion-events", [(b"last", json.dumps(last).encode(), [])])
    eventually(lambda: real.sql("select 1 from conversion.events where product_id = 'last'"), "the last event")
    assert sum(int(n) for _, n in totals()) == 5001
    real.stop(process)


def test_the_same_case_with_other_parameters_is_a_dead_letter_or_already_exists(real):
    events = sample(real)
    path = real.write()
    real.start(path)
    api = real.api()
    request = requests(events, 1, seed=8)[0]
    other = {**request, "product_id": "another"}
    real.produce("report-requests", [message(request)])
    real.produce("report-requests", [message(other)])
    dead = real.consume("report-requests.dead-letters", count=1)
    assert dead[0].value() == json.dumps(other).encode()
    assert dict(dead[0].headers())["penstock-code"] == b"conflict"
    with pytest.raises(grpc.RpcError) as refused:
        api("CreateReport", request=other)
    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
    real.call("flush", path, "batch")
    check(api("WaitReport", case_id=request["case_id"], timeout="60s")["report"], request, events)


@pytest.fixture
def own_redis(tmp_path):
    server = redis_server.RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def test_redis_down_costs_hits_and_no_answers(real, own_redis):
    events = sample(real)
    server = own_redis
    real.environment["PENSTOCK_CACHE"] = server.url
    path = real.write()
    real.start(path)
    api = real.api()
    request = requests(events, 1, seed=9)[0]
    api("CreateReport", request=request)
    server.stop()
    real.call("flush", path, "batch")
    check(api("WaitReport", case_id=request["case_id"], timeout="60s")["report"], request, events)
    assert len(real.consume("report-ready", count=1)) == 1
    server.start()
    eventually(lambda: server.keys() == [f"report:{request['case_id']}"], "cached again")
    assert len(batches(real)) == 1
    check(api("GetReport", case_id=request["case_id"])["report"], request, events)


def test_a_worker_stopped_behind_its_lease_changes_nothing(real):
    events = sample(real)

    def change(stages, document):
        stages["batch"].update({"lease": "2s", "trigger": {"any": [{"manual": True}, {"max_age": "1h"}]}})

    # Slows generation down, so that the first worker can be stopped while it works: a lock on the events.
    path = real.write(change=change)
    workers = [real.start("--role", "worker", path, serving=False) for _ in range(2)]
    server = real.start("--role", "api", path)
    api = real.api()
    wanted = requests(events, 20, seed=10)
    for request in wanted:
        api("CreateReport", request=request)
    with real.locked("conversion.events"):
        real.call("flush", path, "batch")
        pids = {str(p.pid): p for p in workers}
        owner = eventually(lambda: real.sql("select split_part(worker, ':', 2) from penstock.batches where worker is not null"),
                           "a claim")[0][0]
        pids[owner].send_signal(signal.SIGSTOP)
        eventually(lambda: real.sql("select 1 from penstock.batches where lease_until < clock_timestamp() or token > 1"),
                   "the lease has run out")
    for request in wanted:
        check(api("WaitReport", case_id=request["case_id"], timeout="60s")["report"], request, events)
    pids[owner].send_signal(signal.SIGCONT)
    eventually(lambda: real.logged(pids[owner], "batch given up: its lease was lost"), "the first worker gave up")
    assert real.sql("select count(*), count(distinct case_no) from penstock.outcomes") == [["20", "20"]]
    ready = real.consume("report-ready", count=20, distinct=lambda m: m.key())
    seen = {}
    for announced in ready:
        body = json.loads(announced.value())
        assert seen.setdefault(body["case_id"], (body["event_id"], announced.value())) == (body["event_id"], announced.value())
    assert len(seen) == 20
    for process in workers + [server]:
        real.stop(process)


def test_changing_only_the_json_changes_the_behaviour(real):
    events = sample(real)

    def change(stages, document):
        stages["batch"]["trigger"] = {"any": [{"count": 50}, {"max_age": "2s"}]}
        document["stages"] = [s for s in document["stages"] if s["id"] not in ("unique", "answers")]
        document["stages"].append({**stages["ready"], "id": "copy", "topic": real.topic("ready-copy")})
        del document["resources"]["cache"]

    path = real.write(change=change)
    process = real.start(path)
    wanted = requests(events, 120, seed=11)
    real.produce("report-requests", [message(r) for r in wanted])
    assert len(real.consume("report-ready", count=120)) == 120
    assert len(real.consume("ready-copy", count=120)) == 120
    found = batches(real)
    assert sorted(int(b[1]) for b in found) == [20, 50, 50], found
    assert [b[2] for b in found] == ["count", "count", "max_age"]
    real.stop(process)
