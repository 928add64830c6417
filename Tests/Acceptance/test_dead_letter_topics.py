"""What lies in dead-letter topics is listed, shown, replayed and dropped, by files and by the admin service alike."""

import contextlib
import json
import os
import re
import subprocess
import time

import confluent_kafka.admin
import grpc
import pytest
from test_admin import Operator, begun, put
from test_dead_letter_replay import cases, place, waiting
from test_dead_letters import create_topic, dead_letters, request, sent

from stack import LIMIT, PENSTOCK, Reflected, eventually, free_port

COUNT = 1000
# Every tenth is of another stage and code.
CONFLICTS = COUNT // 10


def letter(topic, offset, wanted):
    """A record as the pipeline writes it when it refuses one, for a reason that is no more."""
    stage, code = ("batch", "conflict") if offset % 10 == 0 else ("requests", "malformed")
    headers = [("trace", b"\x00\xff"), ("penstock-stage", stage), ("penstock-code", code), ("penstock-reason", "why"),
               ("penstock-attempts", "1"), ("penstock-origin-topic", topic), ("penstock-origin-partition", "0"),
               ("penstock-origin-offset", str(offset))]
    return wanted["case_id"].encode(), json.dumps(wanted).encode(), headers


def line(result):
    [said] = result.stdout.splitlines()
    return said


@contextlib.contextmanager
def held(stack, count):
    """Whoever is to remember that more than so many of a partition are settled waits for it."""
    stack.sql("create function hold() returns trigger language plpgsql as $$ begin"
              " if (select sum(case when no % 2 = 0 then bound else -bound end)"
              f"   from unnest(new.bounds) with ordinality x(bound, no)) > {count} then perform pg_advisory_xact_lock(4711); end if;"
              " return new; end $$;"
              "create trigger hold before insert or update on penstock.settled_letters for each row execute function hold()")
    holder = subprocess.Popen(["psql", stack.environment["PENSTOCK_STORE"], "-X", "-q"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True)
    holder.stdin.write("begin; select pg_advisory_xact_lock(4711);\n")
    holder.stdin.flush()
    eventually(lambda: stack.sql("select 1 from pg_locks where locktype = 'advisory' and objid = 4711 and granted"), "the lock")
    yield lambda: stack.sql("select 1 from pg_locks where locktype = 'advisory' and objid = 4711 and not granted")
    holder.stdin.close()
    holder.wait(LIMIT)
    stack.sql("drop trigger hold on penstock.settled_letters; drop function hold()")


def test_a_thousand_in_a_topic_are_replayed_and_dropped_once_whoever_is_killed(real):
    topic, dead = real.topic("report-requests"), real.topic("report-requests.dead-letters")
    path = real.write(change=waiting)
    real.call("migrate", path)
    assert dead_letters(real, path) == []
    create_topic(real, dead, partitions=2)
    wanted = [request(f"p-{number}") for number in range(COUNT)]
    real.produce("report-requests.dead-letters", [letter(topic, offset, one) for offset, one in enumerate(wanted)])
    real.produce("report-requests.dead-letters", [(b"k", b"somebody else's", [("penstock-stage", b"\xff")]), (None, None, [])])
    process = real.start(path)
    real.produce("report-requests", [(b"key", b"{", [("trace", b"\x00\xff")])])

    every = eventually(lambda: [x for x in [dead_letters(real, path)] if len(x) == COUNT + 3], "all are listed")[0]
    assert len({one["id"] for one in every}) == COUNT + 3
    assert all(re.fullmatch(rf"bus:{dead}/[01]/\d+", one["id"]) for one in every), every[0]
    foreign = [one for one in every if one["kind"] == "foreign"]
    assert {one.get("payload") for one in foreign} == {"somebody else's", None} and "code" not in foreign[0], foreign
    [own] = [one for one in every if one["kind"] == "record" and one["payload"] == "{"]
    assert (own["stage"], own["code"], own["key"], own["origin"]) == ("requests", "malformed", "key", topic), own
    assert own["headers"] == [{"name": "trace", "value_base64": "AP8="}] and not own["is_settled"], own
    assert abs(own["kept_at_microseconds"] / 1e6 - time.time()) < 600, own
    shown = real.call("dead-letters", "show", path, own["id"]).stdout
    assert json.loads(shown) == own
    assert len(dead_letters(real, path, "--older-than", "1h")) == 0
    text = real.call("dead-letters", "list", path, "--limit", "10", "--code", "conflict").stdout.splitlines()
    assert len(text) == 10 and all("conflict" in one and "batch" in one and "why" in one for one in text), text

    assert line(real.call("dead-letters", "drop", path, own["id"])) == "1 dropped"
    again = real.call("dead-letters", "drop", path, own["id"], check=False)
    assert again.returncode == 1 and "1 of these ids name no letter" in again.stderr, again
    assert line(real.call("dead-letters", "drop", path, "--all", "--stage", "batch")) == f"{CONFLICTS} dropped"
    assert len(dead_letters(real, path)) == COUNT - CONFLICTS + 2
    settled = [one for one in dead_letters(real, path, "--settled") if one["is_settled"]]
    assert len(settled) == CONFLICTS + 1

    # Each partition has some 500, of which 50 are settled.
    with held(real, COUNT // 5) as is_waiting:
        replay = subprocess.Popen([PENSTOCK, "dead-letters", "replay", path, "--all", "--stage", "requests"], cwd=real.folder,
                                  env=real.environment, stdout=subprocess.PIPE)
        eventually(is_waiting, "some are remembered")
        replay.kill()
        assert replay.wait(LIMIT) == -9 and replay.stdout.read() == b""
    left = len(dead_letters(real, path, "--stage", "requests"))
    assert 0 < left < COUNT - CONFLICTS, left
    repeated = real.call("dead-letters", "replay", path, "--all", check=False)
    assert repeated.returncode == 1, repeated
    assert f"{left} replayed; letter bus:{dead}/" in repeated.stderr and "none of Penstock's" in repeated.stderr, repeated
    assert "nor can 1 others" in repeated.stderr, repeated
    assert {one["kind"] for one in dead_letters(real, path)} == {"foreign"}
    assert line(real.call("dead-letters", "replay", path, "--all", "--stage", "requests")) == "0 to be tried again"
    assert line(real.call("dead-letters", "drop", path, "--all")) == "2 dropped"
    assert dead_letters(real, path) == []

    eventually(lambda: cases(real) == COUNT - CONFLICTS, "each is in the ledger")
    # Those that were in flight when it was killed are written twice, from the same places.
    replayed = [m for m in real.consume("report-requests", settled=lambda messages: len(
        {place(m) for m in messages if m.value() != b"{"}) == COUNT - CONFLICTS) if m.value() != b"{"]
    assert all(m.headers()[0] == ("trace", b"\x00\xff") and len(m.headers()) == 4 for m in replayed), replayed[0].headers()
    # A row for a partition, and a range where all is settled.
    assert {row[0] for row in real.sql("select cardinality(bounds) from penstock.settled_letters")} == {"2"}
    changes = real.call("changes", path).stdout
    assert "replay of dead letters: all of requests" in changes and f"drop of dead letters: {own['id']}" in changes, changes

    # A topic made anew under its name is another one.
    client = confluent_kafka.admin.AdminClient({"bootstrap.servers": real.kafka})
    client.delete_topics([dead])[dead].result(LIMIT)
    eventually(lambda: dead not in client.list_topics(timeout=LIMIT).topics, "the topic is gone")
    create_topic(real, dead, partitions=2)
    real.produce("report-requests.dead-letters", [letter(topic, offset, one) for offset, one in enumerate(wanted[:5])])
    assert len(dead_letters(real, path)) == 5
    assert line(real.call("dead-letters", "drop", path, "--all", "--stage", "batch")) == "1 dropped"
    assert len(dead_letters(real, path)) == 4
    real.stop(process)
    assert cases(real) == COUNT - CONFLICTS

    begin = time.monotonic()
    away = real.call("dead-letters", "list", path, check=False, PENSTOCK_BUS=f"kafka://127.0.0.1:{free_port()}")
    assert away.returncode == 69 and "Kafka does not answer" in away.stderr, away
    assert time.monotonic() - begin < 60


def test_both_ways_do_the_same(stack):
    place = stack.folder / "admin.sock"
    path, process = begun(stack, "--admin-service", f"unix:{place}")
    stack.ready()
    files, service = Operator(stack, path), Operator(stack, path, place)
    if stack.kafka:
        stack.produce("report-requests", [(b"one", b"{", [("null", None)]), (b"one", b"[]", []), (b"one", b"[", [])])
    else:
        process.stdin.write(b"{\n[]\n[\n")
        process.stdin.flush()

    def listed(operator, *arguments):
        return [json.loads(one) for one in operator("dead-letters list --format json", *arguments).stdout.splitlines()]

    letters = eventually(lambda: [x for x in [listed(service)] if len(x) == 3], "the letters")[0]
    assert letters == listed(files) and {one["payload"] for one in letters} == {"{", "[]", "["}, letters
    assert listed(service, "--newer-than", "1h", "--code", "malformed") == letters
    assert listed(service, "--older-than", "1h") == [] and listed(service, "--stage", "batch") == []
    ids = [one["id"] for one in letters]
    assert json.loads(service("dead-letters show", ids[0]).stdout) == letters[0]
    assert service("dead-letters list").stdout == files("dead-letters list").stdout
    assert [one["kept_at_microseconds"] for one in letters] == sorted(one["kept_at_microseconds"] for one in letters), letters
    for operator in (files, service):
        two = [letters[0], {**letters[1], "truncated": {"shown": 2, "total": 3}}]
        assert listed(operator, "--limit", "2") == two and listed(operator, "--after", ids[1]) == letters[2:]
        assert listed(operator, "--limit", "1", "--code", "malformed") == [{**letters[0], "truncated": {"shown": 1, "total": None}}]
        told = operator("dead-letters list", "--limit", "1", "--after", ids[0])
        assert len(told.stdout.splitlines()) == 1 and told.stdout.startswith(ids[1]), told
        assert told.stderr == f"1 of 3, oldest first; --limit N or --after {ids[1]} for more\n", told
        assert operator("dead-letters list").stderr == ""
        unknown = operator("dead-letters list", "--after", "4711", check=False)
        assert unknown.returncode == 1 and "the list has no letter 4711" in unknown.stderr, unknown
    for operator in (files, service):
        missing = operator("dead-letters show", ids[0].rsplit("/", 1)[0] + "/4711", check=False)
        assert missing.returncode == 1 and "there is no letter" in missing.stderr, missing
        unclear = operator("dead-letters drop", "nonsense", check=False)
        assert unclear.returncode == 64 and "is no id" in unclear.stderr, unclear

    admin, about = Reflected(f"unix:{place}", "penstock.admin.v1.AdminService"), {"pipeline": "conversion-reports"}
    pages, token = [], ""
    while token is not None:
        page = admin("ListDeadLetters", **about, page_size=1, page_token=token)
        pages += [[one["id"] for one in page.get("dead_letters", [])]]
        token = page.get("next_page_token")
        assert len(pages) < 10 and len(pages[-1]) <= 1, pages
    assert sum(pages, []) == ids, pages
    for method, fields, code in [
        ("ListDeadLetters", {"page_token": "topic/0/0"}, "INVALID_ARGUMENT"), ("ListDeadLetters", {"page_size": 1001}, "INVALID_ARGUMENT"),
        ("GetDeadLetter", {"id": ""}, "INVALID_ARGUMENT"), ("GetDeadLetter", {"id": "4711"}, "NOT_FOUND"),
        ("DropDeadLetters", {}, "INVALID_ARGUMENT"), ("ReplayDeadLetters", {"ids": ids, "filter": {}}, "INVALID_ARGUMENT"),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            admin(method, **about, **fields)
        assert refused.value.code().name == code, (method, fields, refused.value)

    assert line(service("dead-letters drop", ids[0])) == "1 dropped"
    assert listed(files) == letters[1:] == listed(service)
    # It is refused again, and comes back as another one.
    assert line(service("dead-letters replay", "--all", "--code", "malformed")) == "2 to be tried again"
    back = eventually(lambda: [x for x in [listed(service)] if len(x) == 2], "they are back")[0]
    assert not {one["id"] for one in back} & set(ids) and back == listed(files), back
    headers = {header["name"]: header.get("value") for header in back[0]["headers"]}
    assert headers["penstock-replayed-topic"] == stack.topic("report-requests"), headers
    assert len(listed(service, "--settled")) == 5
    assert line(service("dead-letters drop", "--all")) == "2 dropped"
    changes = [json.loads(one) for one in service("changes --format json").stdout.splitlines()]
    assert [c["action"] for c in changes] == [
        f"drop of dead letters: {ids[0]}", "replay of dead letters: all refused for malformed", "drop of dead letters: all"], changes
    assert all(re.match(rf"unix:uid={os.getuid()},pid=\d+$", c["actor"]) for c in changes), changes
    eventually(lambda: stack.logged(process, "operator: drop of dead letters: all"), "the process tells of it")
    stack.stop(process)


def test_letters_of_events_are_moved_as_well(real):
    """Their pipeline has no ledger: what is settled is remembered in its store, and the log tells who did it."""
    path = real.write("conversion-events")
    real.call("migrate", path)
    place = real.folder / "admin.sock"
    process = real.start("--admin-service", f"unix:{place}", path, serving=False)
    good = {"event_id": "0b9d0b8e-5a7a-4e0c-9d0e-1c3f5a7b9d01", "product_id": "p", "kind": "VIEW", "occurred_at": "2026-11-02T08:15:30Z"}
    real.produce("conversion-events", [(b"k", b"no event", []), (b"k", b"no event either", [])])
    letters = eventually(lambda: [x for x in [dead_letters(real, path)] if len(x) == 2], "the letters")[0]
    assert {(one["stage"], one["code"]) for one in letters} == {("events", "malformed")}, letters
    # A third one, mended on its way.
    topic = real.topic("conversion-events")
    real.produce("conversion-events.dead-letters", [(b"k", json.dumps(good).encode(), [
        ("penstock-stage", "events"), ("penstock-code", "mended"), ("penstock-reason", "why"), ("penstock-attempts", "1"),
        ("penstock-origin-topic", topic), ("penstock-origin-partition", "0"), ("penstock-origin-offset", "0")])])
    server = ["--server", f"unix:{place}", "conversion-events"]
    assert line(real.call("dead-letters", "replay", *server, "--all", "--code", "mended")) == "1 to be tried again"
    eventually(lambda: real.sql("select count(*) from conversion.events") == [["1"]], "the event is stored")
    assert line(real.call("dead-letters", "drop", path, "--all")) == "2 dropped"
    assert dead_letters(real, path) == []
    [told] = real.logged(process, "operator: replay of dead letters: all refused for mended")
    assert told["metadata"]["actor"].startswith("unix:uid="), told
    real.stop(process)
