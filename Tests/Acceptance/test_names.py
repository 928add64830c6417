"""What a store keeps belongs to a name, an encoding, a file: nothing is stranded, and one bad row stops nobody."""

import json
import os
import pathlib
import re
import signal
import uuid

import grpc
from events import check, requests
from stack import eventually
from test_dry_run import dry_run
from test_embedded import create, sample, wait
from test_positions import pipeline
from test_real import message, sample as sample_real


def seal(count):
    def change(stages, document):
        stages["batch"]["trigger"] = {"any": [{"count": count}, {"max_age": "12h"}, {"manual": True}]}
        stages["batch"]["min_interval"] = "0s"
    return change


manual = seal(512)


def named(pipeline, **ids):
    """Another name for the pipeline, and other ids for its stages."""
    def change(stages, document):
        manual(stages, document)
        document["name"] = pipeline
        for old, new in ids.items():
            stages[old]["id"] = new
    return change


def report(stack, request):
    return stack.call("report", "get", "--server", f"127.0.0.1:{stack.port}", request["case_id"], check=False)


def refused(stack, path, *wanted):
    """`run` and `dry-run` refuse the file for the same reason, and `migrate` does, too."""
    for command in (["run", "--log-format", "json", path], ["migrate", path]):
        result = stack.call(*command, check=False)
        # Nothing was served before.
        assert '"running"' not in result.stderr and '"serving"' not in result.stderr, result.stderr
        assert result.returncode == 69, result.stderr
        assert "[state-unowned]" in result.stderr, result.stderr
        for text in wanted:
            assert text in result.stderr, result.stderr
    code, found = dry_run(stack, path)
    failed = [entry for entry in found.values() if entry["status"] == "FAIL"]
    assert code == 1 and len(failed) == 1, found
    for text in wanted:
        assert text in failed[0]["detail"] + failed[0]["hint"], failed


def goes_on_under_other_names(stack, events, old, new, renaming, wanted):
    """Twenty cases wait under the file `old`; after a renaming they are answered under `new`."""
    process = stack.start(old)
    right = pathlib.Path(old).read_text()
    cases = requests(events, 20, seed=4)
    for request in cases:
        stack.api()("CreateReport", request=request)
    path = new()
    assert path == old
    process.send_signal(signal.SIGHUP)
    [told] = eventually(lambda: [e for e in stack.logged_all(process) if e["message"].startswith("reload refused")], "it is refused")
    for text in ("20 waiting cases", *wanted):
        assert text in told["metadata"]["error"], told
    # Those go on whose cases they are.
    stack.ready()
    assert "Pending" in report(stack, cases[0]).stdout
    assert right != pathlib.Path(path).read_text()
    stack.stop(process)
    refused(stack, path, "20 waiting cases", *wanted)
    for expected in ("20 waiting cases", "nothing is kept under"):
        assert expected in stack.call("migrate", "--rename", renaming, path).stderr
    process = stack.start(path)
    assert "Pending" in report(stack, cases[0]).stdout
    [stage] = [s["id"] for s in json.loads(open(path).read())["stages"] if s["type"] == "accumulate"]
    stack.call("flush", path, stage)
    for request in cases:
        check(wait(stack, request), request, events)
    stack.stop(process)


def test_a_pipeline_of_another_name_is_refused_until_its_state_is_moved(stack):
    events = sample_real(stack) if stack.kafka else sample(stack)
    goes_on_under_other_names(
        stack, events, stack.write(change=manual), lambda: stack.write(change=named("answers")),
        "conversion-reports=answers", ["conversion-reports/batch", "--rename conversion-reports=answers"])


def test_a_stage_of_another_name_is_refused_until_its_state_is_moved(stack):
    events = sample_real(stack) if stack.kafka else sample(stack)
    goes_on_under_other_names(
        stack, events, stack.write(change=manual), lambda: stack.write(change=named("conversion-reports", batch="collect")),
        "conversion-reports/batch=conversion-reports/collect",
        ["conversion-reports/batch", "--rename conversion-reports/batch=conversion-reports/collect"])


def answered(stack, path, cases):
    for request in cases:
        stack.api()("CreateReport", request=request)
    stack.call("flush", path, "batch")
    for request in cases:
        wait(stack, request)


def test_a_stage_with_nothing_open_is_refused_under_another_name_too(stack):
    """What it has read and answered would be read and answered again."""
    events = sample_real(stack) if stack.kafka else sample(stack)
    path = stack.write(change=manual)
    process = stack.start(path)
    cases = requests(events, 2, seed=31)
    answered(stack, path, cases)
    stack.write(change=named("conversion-reports", batch="collect"))
    process.send_signal(signal.SIGHUP)
    [told] = eventually(lambda: [e for e in stack.logged_all(process) if e["message"].startswith("reload refused")], "it is refused")
    wanted = ["conversion-reports/batch", "would be answered again", "--rename conversion-reports/batch=conversion-reports/collect",
              "--abandon conversion-reports/batch"]
    assert all(text in told["metadata"]["error"] for text in wanted), told
    stack.ready()
    stack.stop(process)
    refused(stack, path, *wanted)
    moved = stack.call("migrate", "--rename", "conversion-reports/batch=conversion-reports/collect", path).stderr
    assert "conversion-reports/batch is conversion-reports/collect now" in moved, moved
    process = stack.start(path)
    for request in cases:
        check(wait(stack, request), request, events)
    stack.stop(process)
    # Back, but as a stage that begins anew.
    stack.write(change=manual)
    for more, code, text in [([], 64, "would end"), (["--yes"], 0, "ended")]:
        result = stack.call("migrate", "--abandon", "conversion-reports/collect", *more, path, check=False)
        assert result.returncode == code, result.stderr
        assert f"{text} conversion-reports/collect: the memory of what it has read and answered" in result.stderr, result.stderr
    process = stack.start(path)
    stack.stop(process)


def test_a_stage_that_reads_another_bus_or_topic_is_no_renamed_one(embedded):
    def accept(stage, bus, topic):
        return pipeline(embedded, "accept", {"bus": f"embedded:{bus}.sqlite", "store": "embedded:store.sqlite"}, [
            {"id": "in", "type": "ingest", "codec": "report-request",
             "from": [{"resource": "bus", "topic": topic, "create": {"partitions": 1}}]},
            {"id": stage, "type": "accumulate", "store": "store", "trigger": {"max_age": "12h"}},
            {"id": "reports", "type": "generate", "generator": "conversion", "store": "store"}])

    def read(stage, bus, topic):
        process = embedded.start(accept(stage, bus, topic), serving=False)
        eventually(lambda: f"/{topic}  0  0" in embedded.call(
            "positions", "get", embedded.folder / "accept.json", check=False).stdout, "its place is stored")
        embedded.stop(process)

    read("batch", "a", "requests")
    read("batch", "b", "other")
    result = embedded.call("run", accept("collect", "a", "requests"), check=False)
    assert result.returncode == 69 and "--rename accept/batch=accept/collect" in result.stderr, result.stderr
    for stage, bus, topic in [("collect", "b", "requests"), ("gather", "a", "new")]:
        read(stage, bus, topic)


def test_a_pipeline_and_its_stage_of_other_names_in_postgres(real):
    events = sample_real(real)
    goes_on_under_other_names(
        real, events, real.write(change=manual), lambda: real.write(change=named("answers", batch="collect")),
        "conversion-reports/batch=answers/collect", ["--rename conversion-reports/batch=answers/collect"])


def test_events_are_not_counted_twice_under_another_name(real):
    lines = [{"event_id": str(uuid.uuid4()), "kind": "VIEW", "product_id": "p", "occurred_at": "2026-11-01T00:00:00Z"}
             for _ in range(21)]

    def stored(count):
        eventually(lambda: real.sql("select count(*) from conversion.events") == [[str(count)]], f"{count} events")

    path = real.write("conversion-events")
    real.call("migrate", path)
    real.produce("conversion-events", [(None, json.dumps(line).encode(), []) for line in lines[:20]])
    process = real.start(path, serving=False)
    stored(20)
    real.stop(process)

    def change(stages, document):
        document["name"] = "events"

    path = real.write("conversion-events", change=change)
    result = real.call("run", path, check=False)
    assert result.returncode == 69 and "--rename conversion-events/" in result.stderr, result.stderr
    # By a dry run and a reload as well.
    code, found = dry_run(real, path)
    assert code == 1 and "--rename conversion-events/" in found["store: events"]["hint"], found
    process = real.start(real.write("conversion-events"), serving=False)
    real.write("conversion-events", change=change)
    process.send_signal(signal.SIGHUP)
    [told] = eventually(lambda: [e for e in real.logged_all(process) if e["message"].startswith("reload refused")], "it is refused")
    assert "--rename conversion-events/" in told["metadata"]["error"], told
    real.stop(process)
    assert "partition(s)" in real.call("migrate", "--rename", "conversion-events=events", path).stderr
    real.start(path, serving=False)
    real.produce("conversion-events", [(None, json.dumps(lines[20]).encode(), [])])
    stored(21)


def test_what_is_abandoned_is_counted_first_and_then_cancelled(embedded):
    events = sample(embedded)
    process = embedded.start(embedded.write(change=manual))
    request = requests(events, 1, seed=5)[0]
    create(embedded, request)
    path = embedded.write(change=manual)
    busy = embedded.call("migrate", "--abandon", "conversion-reports", "--yes", path, check=False)
    assert busy.returncode == 69 and str(process.pid) in busy.stderr, busy.stderr
    embedded.stop(process)
    for more, code, text in [
        ([], 64, "would end conversion-reports/batch: 1 waiting case"),
        (["--yes"], 0, "ended conversion-reports/batch: 1 waiting case"),
        (["--yes"], 0, "nothing is open under conversion-reports"),
    ]:
        result = embedded.call("migrate", "--abandon", "conversion-reports", *more, path, check=False)
        assert result.returncode == code and text in result.stderr, result.stderr
    embedded.start(path)
    assert "abandoned" in report(embedded, request).stdout.lower() + report(embedded, request).stderr.lower()


def test_a_sink_of_another_name_gets_what_the_old_one_has_not(real):
    events = sample_real(real)
    process = real.start(real.write(change=seal(3)))
    cases = requests(events, 3, seed=6)
    real.produce("report-requests", [message(r) for r in cases])
    real.consume("report-ready", count=3)
    real.stop(process)
    # As if the bus had been away.
    real.sql("update penstock.deliveries set delivered_at = null, only_parked = false where sink = 'ready'")
    real.sql("update penstock.batches set done_at = null")

    def change(stages, document):
        seal(3)(stages, document)
        stages["ready"]["id"] = "announce"

    path = real.write(change=change)
    refused(real, path, "1 batch not delivered to ready", "--rename conversion-reports/ready=conversion-reports/NEW")
    real.call("migrate", "--rename", "conversion-reports/ready=conversion-reports/announce", path)
    real.start(path)
    ready = real.consume("report-ready", count=6)
    assert len({json.loads(m.value())["event_id"] for m in ready}) == 3


def test_a_database_that_cannot_hold_every_text_is_refused_by_name(real):
    name = f"{real.database}_latin1"
    real.sql(f"create database {name} encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'", admin=True)
    try:
        store = re.sub(r"/[^/]*$", f"/{name}", real.environment["PENSTOCK_STORE"])
        path = real.write()
        for command in ("migrate", "run"):
            result = real.call(command, path, check=False, PENSTOCK_STORE=store)
            assert result.returncode == 69, result.stderr
            assert f"{name} in PostgreSQL at" in result.stderr and "has the encoding LATIN1" in result.stderr
            assert "createdb --encoding UTF8" in result.stderr and "[store-encoding]" in result.stderr
        code, found = dry_run(real, path, PENSTOCK_STORE=store)
        assert code == 1 and found["store"]["status"] == "FAIL" and "LATIN1" in found["store"]["detail"]
    finally:
        real.sql(f"drop database {name} with (force)", admin=True)


def test_rows_that_the_store_refuses_are_dead_letters_and_the_rest_goes_on(real):
    events = sample_real(real)
    files = [real.write(change=seal(5)), real.write("conversion-events")]
    real.sql("alter table penstock.cases add check (position('poison'::bytea in parameters) = 0)")
    real.sql("alter table conversion.events add check (product_id <> 'poison')")
    process = real.start(*files)
    cases = requests(events, 6, seed=8)
    poison = {**cases[5], "product_id": "poison"}
    real.produce("report-requests", [message(r) for r in [*cases[:2], poison, *cases[2:5]]])
    assert len(real.consume("report-ready", count=5)) == 5
    [dead] = real.consume("report-requests.dead-letters", count=1)
    assert json.loads(dead.value()) == poison
    headers = dict(dead.headers())
    assert b"23514" in b" ".join(headers.values()), headers
    try:
        real.api()("CreateReport", request={**poison, "case_id": cases[5]["case_id"]})
        raise AssertionError("it was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    # Events, by halves as well, and each of the others once.
    lines = [json.loads(line) for line in open(real.folder / "events.jsonl")][:20]
    before = real.sql("select count(*) from conversion.events")[0][0]
    lines[7]["product_id"] = "poison"
    real.produce("conversion-events", [(None, json.dumps(line).encode(), []) for line in lines])
    [dead] = real.consume("conversion-events.dead-letters", count=1)
    assert json.loads(dead.value()) == lines[7]
    eventually(lambda: int(real.sql("select count(*) from conversion.events")[0][0]) == int(before) + 19, "19 events")
    # A report that the ledger refuses fails its own case.
    real.sql("alter table penstock.outcomes add check (report is null or position('p-long'::bytea in report) = 0)")
    more = requests(events, 5, seed=9)
    more[3]["product_id"] = "p-long"
    real.produce("report-requests", [message(r) for r in more])
    ready = [json.loads(m.value()) for m in real.consume("report-ready", count=10)]
    states = {r["case_id"]: json.dumps(r) for r in ready}
    assert all(r["case_id"] in states for r in more)
    assert "23514" in states[more[3]["case_id"]] and "23514" not in states[more[2]["case_id"]]
    real.stop(process)


def test_the_character_that_no_text_of_postgres_can_hold_costs_its_own_record_only(real):
    events = sample_real(real)
    process = real.start(real.write(change=seal(3)), real.write("conversion-events"))
    good = requests(events, 3, seed=11)
    nul = [{**good[0], "case_id": str(uuid.uuid4()), "product_id": "a\0b"},
           {**good[0], "case_id": str(uuid.uuid4()), "checkout_id": "c\0"}]
    # Who asks is kept as bytes, and nothing else than that.
    good[1]["requester"] = "\0"
    raw = b'{"case_id": "\0", "product_id": "\0"}'
    real.produce("report-requests", [
        message(good[0]), *[message(r) for r in nul], (b"\0", raw, [("h", b"\0")]), message(good[1])])
    dead = real.consume("report-requests.dead-letters", count=3)
    found = {r["case_id"]: r for r in (json.loads(d.value()) for d in dead if d.value() != raw)}
    assert found == {r["case_id"]: r for r in nul}
    assert [(d.key(), d.headers()[0]) for d in dead if d.value() == raw] == [(b"\0", ("h", b"\0"))]
    for request in nul:
        try:
            real.api()("CreateReport", request=request)
            raise AssertionError("it was accepted")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "U+0000" in error.details(), error
    create(real, good[2])
    assert {json.loads(m.value())["case_id"] for m in real.consume("report-ready", count=3)} == {r["case_id"] for r in good}
    before = int(real.sql("select count(*) from conversion.events")[0][0])
    lines = [json.loads(line) for line in open(real.folder / "events.jsonl")][:3]
    lines[1]["product_id"] = "p\0"
    lines = [{**line, "event_id": str(uuid.uuid4())} for line in lines]
    real.produce("conversion-events", [(None, json.dumps(line).encode(), []) for line in lines])
    [dead] = real.consume("conversion-events.dead-letters", count=1)
    assert json.loads(dead.value()) == lines[1]
    eventually(lambda: int(real.sql("select count(*) from conversion.events")[0][0]) == before + 2, "the other events")
    real.stop(process)


def test_a_store_that_refuses_everything_is_said_to(real):
    sample_real(real)
    path = real.write(change=seal(5))
    real.sql("alter table penstock.cases add constraint botched check (case_no < 0)")
    process = real.start(path)
    cases = [{"case_id": str(uuid.uuid4()), "product_id": f"p-{i}",
              "period": {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-11-02T00:00:00Z"}} for i in range(20)]
    real.produce("report-requests", [message(r) for r in cases])
    dead = real.consume("report-requests.dead-letters", count=20)
    assert sorted(json.loads(d.value())["case_id"] for d in dead) == sorted(r["case_id"] for r in cases)
    eventually(lambda: "refuses every record of a chunk" in process.log.read_text(), "somebody says so")
    # The dead letters are the requests: sent again once the tables are mended, nothing is lost.
    real.sql("alter table penstock.cases drop constraint botched")
    real.produce("report-requests", [(d.key(), d.value(), []) for d in dead])
    eventually(lambda: real.sql("select count(*) from penstock.cases") == [["20"]], "all are accepted")
    real.stop(process)


def test_whoever_starts_is_told_of_cases_whose_file_is_gone(real):
    events = sample_real(real)
    process = real.start(real.write(change=manual))
    for request in requests(events, 2, seed=12):
        create(real, request)
    real.stop(process)

    def change(stages, document):
        manual(stages, document)
        document["name"] = "others"
        stages["requests"]["from"] = [{"resource": "bus", "topic": real.topic("others")}]

    process = real.start(real.write(change=change), serving=False)
    [told] = eventually(
        lambda: [e for e in real.logged_all(process) if "is not among" in e["message"]], "somebody says so")
    assert told["level"] == "warning" and told["metadata"]["of"] == "conversion-reports/batch", told
    assert told["metadata"]["holds"] == "2 waiting cases" and "--abandon conversion-reports/batch" in told["metadata"]["remedy"]
    real.stop(process)


def test_a_second_run_by_another_path_to_the_same_file_names_the_holder(embedded):
    path = embedded.write()
    process = embedded.start(path)
    data = embedded.folder / "data"
    (embedded.folder / "link").symlink_to(data)
    (data / "other.sqlite").symlink_to(data / "penstock.sqlite")
    os.link(data / "penstock.sqlite", data / "hard.sqlite")
    for name in ("link/penstock.sqlite", "data/other.sqlite", "data/hard.sqlite"):
        address = f"embedded:{name}"
        second = embedded.call("run", path, check=False, PENSTOCK_BUS=address, PENSTOCK_STORE=address,
                               PENSTOCK_LISTEN="grpc://127.0.0.1:1")
        assert second.returncode == 69 and f"process {process.pid} (" in second.stderr, second.stderr


def test_two_paths_to_one_file_are_one_store_in_a_process(embedded):
    events = sample(embedded)
    embedded.start(embedded.write(change=manual), PENSTOCK_BUS="embedded:./data/../data/penstock.sqlite")
    request = requests(events, 1, seed=10)[0]
    create(embedded, request)
    embedded.call("flush", embedded.folder / "conversion-reports.json", "batch")
    check(wait(embedded, request), request, events)


def test_a_missing_right_is_named(real):
    path = real.write()
    real.call("migrate", path, real.write("conversion-events"))
    role = f"{real.database}_role"
    real.sql(f"create role {role} login", admin=True)
    try:
        for schema in ("penstock", "conversion"):
            real.sql(f"grant usage on schema {schema} to {role}")
            real.sql(f"grant select, insert, update, delete on all tables in schema {schema} to {role}")
            real.sql(f"grant usage, select on all sequences in schema {schema} to {role}")
        store = re.sub(r"//[^@]*@", f"//{role}@", real.environment["PENSTOCK_STORE"])
        _, found = dry_run(real, path, PENSTOCK_STORE=store)
        assert found["store: ledger"]["status"] == found["store: events and reports"]["status"] == "ok", found
        real.sql(f"revoke delete on penstock.pending from {role}")
        real.sql(f"revoke select on conversion.rollup_day from {role}")
        code, found = dry_run(real, path, PENSTOCK_STORE=store)
        assert code == 1
        assert found["store: ledger"]["detail"] == f"{role} lacks DELETE on penstock.pending"
        assert found["store: events and reports"]["detail"] == f"{role} lacks SELECT on conversion.rollup_day"
    finally:
        for schema in ("penstock", "conversion"):
            real.sql(f"revoke all on all tables in schema {schema} from {role}")
            real.sql(f"revoke all on all sequences in schema {schema} from {role}")
            real.sql(f"revoke all on schema {schema} from {role}")
        real.sql(f"drop role {role}", admin=True)
