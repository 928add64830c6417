"""What operators see of a running pipeline and change in it, on servers and on nothing but a disk alike."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import sqlite3
import struct
import subprocess
import termios
import time
import urllib.request
import uuid

import pytest

from events import Events, requests
from stack import LIMIT, PENSTOCK, eventually, free_port

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}


def rule(stages, document):
    stages["batch"]["trigger"] = {"any": [{"count": 5}, {"max_age": "10m"}, {"manual": True}]}
    stages["batch"]["max_batch"] = 5


def started(stack):
    """A running pipeline that seals five cases, or after ten minutes."""
    path = stack.write(change=rule)
    stack.call("migrate", path)
    port = free_port()
    process = stack.start("--admin", str(port), path)
    stack.ready()
    return path, process, port


def create(api, count):
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for number, case_id in enumerate(ids):
        api("CreateReport", request={"case_id": case_id, "product_id": f"p{number}", "period": MONTH})
    return ids


def batches(stack, path, *arguments):
    return json.loads(stack.call("batches", path, "--format", "json", *arguments).stdout)


def metrics(port):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).read().decode()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


def values(port, name, **labels):
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return [value for key, value in metrics(port).items()
            if key.split("{")[0] == name and all(label in key for label in wanted)]


def test_the_open_batch_and_the_life_of_a_case(stack):
    path, process, port = started(stack)
    for reason in ("count", "max_age", "manual"):
        assert values(port, "penstock_sealed_batches_total", closed_by=reason) == [0]
        assert values(port, "penstock_sealed_cases_total", closed_by=reason) == [0]
    assert values(port, "penstock_pipeline_stuck") == [0] and values(port, "penstock_leases_held") == [0, 0, 0]
    eventually(lambda: values(port, "penstock_rule_outdated") == [0], "this process seals")
    ids = create(stack.api(), 3)
    view = batches(stack, path)
    assert (view["open"]["cases"], view["open"]["full_at"], view["open"]["fires_by"]) == (3, 5, "max_age"), view
    assert view["open"]["oldest_accepted_at"] < view["clock"] < view["open"]["fires_at"] < view["open"]["earliest_deadline"]
    text = stack.call("batches", path).stdout
    assert "3 of 5 wait" in text and re.search(r"sealed at 5 cases, or in .* by max_age, or by `penstock flush`", text), text
    eventually(lambda: values(port, "penstock_open_cases") == [3], "the gauge says 3")
    assert values(port, "penstock_open_batch_fill_ratio") == [0.6]
    assert 0 < values(port, "penstock_open_oldest_case_age_seconds")[0] < LIMIT
    firing = values(port, "penstock_next_firing_timestamp_seconds", closed_by="max_age")[0]
    assert time.time() < firing < time.time() + 600

    life = json.loads(stack.call("case", path, ids[0], "--format", "json").stdout)
    assert [a["state"] for a in life["attempts"]] == ["pending"] and "with 2 others" in life["attempts"][0]["waits"][0], life
    create(stack.api(), 2)
    eventually(lambda: [b["state"] for b in batches(stack, path)["batches"]] == ["done"], "five cases seal")
    batch = batches(stack, path)["batches"][0]
    assert (batch["cases"], batch["closed_by"], batch["attempts"]) == (5, "count", 1), batch
    assert batch["wait_seconds"] >= 0 and {d["sink"] for d in batch["deliveries"]} == {"ready", "answers"}
    life = json.loads(stack.call("case", path, ids[0], "--format", "json").stdout)["attempts"][0]
    assert life["state"] == "succeeded" and life["batch"]["batch"] == batch["batch"] and life["waits"] == [], life
    assert batches(stack, path, "--unfinished")["batches"] == []
    eventually(lambda: values(port, "penstock_open_cases") == [0], "the gauge says 0")
    assert values(port, "penstock_sealed_batches_total", closed_by="count") == [1]
    assert values(port, "penstock_batch_fullness_ratio_sum") == [1]
    assert values(port, "penstock_case_wait_seconds_count") == [5]
    assert values(port, "penstock_undelivered_batches") == [0, 0]
    # Without a process that runs it, as with one.
    stack.stop(process)
    assert batches(stack, path)["batches"][0] == batch


def test_cancelling(stack):
    path, _, _ = started(stack)
    api = stack.api()
    ids = create(api, 4)
    unknown = str(uuid.uuid4())
    assert stack.call("cancel", path, ids[0], ids[1], "--reason", "asked for twice").stdout == "2 cases cancelled\n"
    status = api("GetReport", case_id=ids[0])
    assert status["status"]["state"].endswith("CANCELLED"), status
    result = stack.call("cancel", path, ids[0], unknown, check=False)
    assert result.returncode == 1 and f"{unknown}: is not known" in result.stderr and ids[0] not in result.stderr, result
    # One that is sealed is cancelled as well, and its batch goes on.
    stack.call("pause", path, "reports")
    stack.call("flush", path, "batch")
    eventually(lambda: batches(stack, path)["open"]["cases"] == 0, "the others are sealed")
    assert stack.call("cancel", path, ids[2]).stdout == "1 case cancelled\n"
    stack.call("resume", path, "reports")
    assert "report" in api("WaitReport", case_id=ids[3], timeout="60s")
    assert api("GetReport", case_id=ids[2])["status"]["state"].endswith("CANCELLED")
    result = stack.call("cancel", path, ids[3], check=False)
    assert result.returncode == 1 and f"{ids[3]}: is succeeded already" in result.stderr, result.stderr
    life = stack.call("case", path, ids[1]).stdout
    assert "cancelled" in life and "asked for twice" in life, life
    # A repeat of its request opens it again.
    api("CreateReport", request={"case_id": ids[0], "product_id": "p0", "period": MONTH})
    attempts = json.loads(stack.call("case", path, ids[0], "--format", "json").stdout)["attempts"]
    assert [a["state"] for a in attempts] == ["cancelled", "pending"], attempts


def test_pausing(stack):
    path, process, port = started(stack)
    paused = [f"penstock_{part}_paused" for part in ("sealing", "generation", "delivery")]
    eventually(lambda: [values(port, name) for name in paused] == [[0], [0], [0, 0]], "nothing is paused")
    stack.call("pause", path, "--reason", "inventory")
    eventually(lambda: [values(port, name) for name in paused] == [[1], [1], [1, 1]], "everything is paused")
    ids = create(stack.api(), 5)
    view = batches(stack, path)
    assert {p["part"] for p in view["paused"]} == {"seal", "generate", "deliver:ready", "deliver:answers"}, view
    assert all(p["reason"].startswith("inventory (") for p in view["paused"]) and view["open"]["cases"] == 5 and view["batches"] == []
    assert "paused      delivery to ready since" in stack.call("batches", path).stdout
    # A new process keeps to it.
    stack.stop(process)
    stack.start("--admin", str(free_port()), path)
    stack.ready()
    stack.call("resume", path, "batch", "reports", "ready")
    eventually(lambda: [b["state"] for b in batches(stack, path)["batches"]] == ["delivering"], "all but one sink goes on")
    eventually(lambda: batches(stack, path)["undelivered"].keys() == {"answers"}, "one sink waits")
    assert "for answers, which has not got it" in stack.call("case", path, ids[0]).stdout
    stack.call("resume", path)
    eventually(lambda: [b["state"] for b in batches(stack, path)["batches"]] == ["done"], "it is delivered")
    assert batches(stack, path)["paused"] == []
    result = stack.call("pause", path, "unique", check=False)
    assert result.returncode == 64 and "there is answers, batch, ready, reports, requests" in result.stderr, result.stderr


def ready(stack, count):
    """The announcements by case and revision."""
    if stack.kafka:
        found = [message.value() for message in stack.consume("report-ready", count)]
    else:
        with contextlib.closing(sqlite3.connect(stack.folder / "data/penstock.sqlite")) as file:
            found = [payload for (payload,) in file.execute("select payload from bus_messages")]
    events = [json.loads(payload) for payload in found]
    return {(event["case_id"], int(event["revision"])): event for event in events}


def test_a_batch_is_replayed_once_its_data_is_mended(stack):
    def load():
        stack.call("sample-data", "--days", 2, "--views-per-day", 3000, "--payments-per-day", 200, "--products", 20,
                   "--emit", "events.jsonl")

    path, _, _ = started(stack)
    stack.call("migrate", stack.write("conversion-events"))
    load()
    wanted = requests(Events(stack.folder / "events.jsonl"), 5, seed=f"38 {stack.suffix}")
    ids, api = [request["case_id"] for request in wanted], stack.api()
    for request in wanted:
        api("CreateReport", request=request)
    eventually(lambda: [b["state"] for b in batches(stack, path)["batches"]] == ["done"], "five cases seal")
    number = batches(stack, path)["batches"][0]["batch"]
    before = {case_id: api("GetReport", case_id=case_id) for case_id in ids}
    assert all(int(answer["revision"]) == 1 and "report" in answer for answer in before.values()), before

    # The same data loaded twice counts twice.
    load()
    stack.call("pause", path, "reports")
    again = stack.call("replay-batch", path, number).stdout
    assert again == f"5 cases of batch {number} opened again, as batch {number + 1}\n", again
    repeated = stack.call("replay-batch", path, number).stdout
    assert repeated == f"0 cases of batch {number} opened again\nleft out: 5 cases, in work again already\n", repeated
    result = stack.call("replay-batch", path, number + 1, check=False)
    assert result.returncode == 1 and "has no outcomes yet" in result.stderr and "[batch-unfinished]" in result.stderr, result
    result = stack.call("replay-batch", path, 4711, check=False)
    assert result.returncode == 1 and "has no batch 4711" in result.stderr and "[batch-unknown]" in result.stderr, result
    replay = batches(stack, path)["batches"][0]
    assert (replay["batch"], replay["state"], replay["closed_by"], replay["cases"]) == (number + 1, "sealed", "replay", 5), replay
    life = json.loads(stack.call("case", path, ids[0], "--format", "json").stdout)["attempts"]
    assert [(a["attempt"], a["state"], a["batch"]["batch"]) for a in life] == \
        [(1, "succeeded", number), (2, "sealed", number + 1)], life
    refused = stack.call("cancel", path, ids[0], check=False)
    assert refused.returncode == 1 and f"{ids[0]}: is sealed already" in refused.stderr, refused
    # Readers are answered the old reports meanwhile, by memory and, once that is over, by the store; so is a repeat.
    until = time.monotonic() + 12
    while time.monotonic() < until:
        assert {case_id: api("GetReport", case_id=case_id) for case_id in ids} == before
        time.sleep(1)
    created = api("CreateReport", request=wanted[0])
    assert created["status"]["state"] == "REPORT_STATE_SUCCEEDED" and int(created["revision"]) == 1, created
    assert batches(stack, path)["open"]["cases"] == 0

    stack.call("resume", path, "reports")
    eventually(lambda: batches(stack, path)["batches"][0]["state"] == "done", "the replay is generated and delivered")
    eventually(lambda: {int(api("GetReport", case_id=case_id)["revision"]) for case_id in ids} == {2}, "memory is over")
    announced = ready(stack, 10)
    assert set(announced) == {(case_id, revision) for case_id in ids for revision in (1, 2)}, announced.keys()
    assert len({event["event_id"] for event in announced.values()}) == 10
    for case_id in ids:
        old, new = before[case_id]["report"], api("GetReport", case_id=case_id)["report"]
        for count in ("views_count", "payments_count"):
            assert int(new.get(count, 0)) == 2 * int(old.get(count, 0)), (old, new)
        assert announced[case_id, 2]["report"].get("views_count") == new.get("views_count"), announced[case_id, 2]
    assert any(int(before[case_id]["report"].get("views_count", 0)) for case_id in ids)


def test_a_replay_through_the_admin_service(embedded):
    path = embedded.write(change=rule)
    embedded.start("--admin-service", "unix:admin.sock", path)
    embedded.ready()
    create(embedded.api(), 5)
    eventually(lambda: [b["state"] for b in batches(embedded, path)["batches"]] == ["done"], "five cases seal")
    embedded.call("pause", path, "reports")
    remote = ["replay-batch", "--server", "unix:admin.sock", "conversion-reports"]
    assert embedded.call(*remote, 1).stdout == "5 cases of batch 1 opened again, as batch 2\n"
    assert embedded.call(*remote, 1).stdout == embedded.call("replay-batch", path, 1).stdout
    result = embedded.call(*remote, 2, check=False)
    assert result.returncode == 1 and "[batch-unfinished]" in result.stderr, result.stderr
    assert embedded.call("changes", path).stdout.count("replay of batch 1") == 3


def test_top_shows_one_look_after_the_other(embedded):
    path, _, _ = started(embedded)
    create(embedded.api(), 1)
    looks = embedded.call("top", path, "--count", 3, "--interval", "100ms").stdout.split("\n\n")
    assert len(looks) == 3 and all("1 of 5 waits" in look for look in looks), looks
    looks = embedded.call("top", path, "--count", 2, "--interval", "100ms", "--format", "json").stdout.splitlines()
    assert [json.loads(look)["open"]["cases"] for look in looks] == [1, 1], looks


def test_what_is_not_there_is_said(embedded):
    path = embedded.write(change=rule)
    for command in (["batches", path], ["case", path, str(uuid.uuid4())], ["cancel", path, str(uuid.uuid4())]):
        result = embedded.call(*command, check=False)
        assert result.returncode == 69 and "is not there" in result.stderr, result.stderr
    result = embedded.call("case", path, "nonsense", check=False)
    assert result.returncode == 64 and "it is a UUID" in result.stderr
    result = embedded.call("batches", path, "--stage", "nonsense", check=False)
    assert result.returncode == 64 and "there is batch" in result.stderr


def test_what_connectors_and_the_api_tell(stack, request):
    path, _, port = started(stack)
    api = stack.api()

    def total(name, **labels):
        return sum(values(port, name, **labels))

    def calls(method, status):
        return total("rpc_server_call_duration_seconds_count", rpc_method=f"conversionreports.v1.ReportService/{method}",
                     rpc_response_status_code=status)
    # Before anything is asked.
    assert values(port, "rpc_server_call_duration_seconds_count", rpc_method="conversionreports.v1.ReportService/GetReport") == [0]
    assert values(port, "penstock_grpc_refused_connections_total") == [0]
    ids = create(api, 5)
    with pytest.raises(Exception):
        api("GetReport", case_id="nonsense")
    eventually(lambda: "report" in api("GetReport", case_id=ids[0]) and batches(stack, path)["open"]["cases"] == 0, "a report")
    eventually(lambda: [b["state"] for b in batches(stack, path)["batches"]] == ["done"], "delivered")
    assert (calls("CreateReport", "OK"), calls("GetReport", "INVALID_ARGUMENT")) == (5, 1), metrics(port)
    misses = total("penstock_report_memory_misses_total")
    hits = total("penstock_report_memory_hits_total")
    for _ in range(3):
        api("GetReport", case_id=ids[0])
    assert total("penstock_report_memory_hits_total") + total("penstock_report_memory_misses_total") == hits + misses + 3
    assert total("penstock_report_memory_hits_total") >= 2
    assert total("penstock_grpc_connections") >= 1 and values(port, "penstock_waiting_readers") == [0]

    def operations(system):
        return {re.search(r'db_operation_name="(\w+)"', name)[1]: value for name, value in metrics(port).items()
                if name.startswith("db_client_operation_duration_seconds_count") and f'db_system_name="{system}"' in name}
    # Each partition that is read, and nothing waits in it.
    eventually(lambda: values(port, "penstock_consumer_lag_records", topic=stack.topic("report-requests"))
               and set(values(port, "penstock_consumer_lag_records", topic=stack.topic("report-requests"))) == {0}, "nothing waits in the topic")
    if request.node.callspec.params["stack"] == "embedded":
        assert operations("sqlite").keys() == {"read", "write"} and all(value > 0 for value in operations("sqlite").values())
    else:
        assert operations("postgresql").keys() == {"work", "bulk", "reading"} and operations("postgresql")["work"] > 0
        assert operations("redis").keys() == {"get", "set", "ping"} and operations("redis")["set"] > 0
        assert values(port, "penstock_cache_circuit_open") == [0] and values(port, "penstock_postgres_lost_connections_total") == [0]
        assert 1 <= total("db_client_connection_count") <= 6
        assert values(port, "penstock_producer_queued_records", topic=stack.topic("report-ready")) == [0]
        assert values(port, "penstock_producer_failed_records_total", topic=stack.topic("report-ready")) == [0]
    # Addresses are shown as `postgres://***@host/database`.
    assert not any(re.search(r"(?<!\*\*\*)@", name) or "password" in name or case in name for name in metrics(port) for case in ids)


def test_every_metric_is_listed_and_those_that_count_are_there_from_the_start(stack):
    listed = {m["name"]: m for m in json.loads(subprocess.run(
        [PENSTOCK, "metrics", "--format", "json"], check=True, capture_output=True, text=True, timeout=LIMIT).stdout)["metrics"]}
    path, _, port = started(stack)

    def base(name):
        name = name.split("{")[0]
        return name if name in listed else re.sub(r"_(bucket|sum|count)$", "", name)

    def served():
        names = {base(name) for name in metrics(port)}
        return {name if name in listed else f"{name} is not listed" for name in names}
    eventually(lambda: "penstock_open_cases" in served(), "the figures are there")
    assert {name for name in served() if "not listed" in name} == set()
    zero = {"penstock_batches_total", "penstock_failed_runs_total", "penstock_leases_lost_total", "penstock_late_cases_total",
            "penstock_case_wait_seconds", "penstock_case_lateness_seconds", "penstock_batch_fullness_ratio", "penstock_retries_total",
            "penstock_cache_hits_total", "penstock_cache_misses_total", "penstock_rejected_records_total", "penstock_delivered_outcomes_total",
            "db_client_operation_duration_seconds", "rpc_server_call_duration_seconds", "penstock_grpc_refused_connections_total",
            "penstock_report_memory_hits_total", "penstock_report_memory_misses_total"}
    assert zero <= served()
    # The labels are those that are said.
    for name in metrics(port):
        labels = set(re.findall(r"(\w+)=", name)) - {"le"}
        assert labels == set(listed[base(name)]["labels"]), name


def test_top_fits_a_terminal_of_eighty_columns(embedded):
    path, process, _ = started(embedded)
    create(embedded.api(), 13)
    eventually(lambda: len(batches(embedded, path)["batches"]) == 2, "two batches are sealed")
    embedded.call("pause", path, "ready", "--reason", "the topic is being moved to another cluster, which takes until the evening")
    main, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    top = subprocess.Popen([PENSTOCK, "top", path, "--count", "2", "--interval", "100ms"], cwd=embedded.folder,
                           env={**embedded.environment, "TERM": "xterm"}, stdin=terminal, stdout=terminal)
    os.close(terminal)
    shown = b""
    while chunk := read(main):
        shown += chunk
    assert top.wait(LIMIT) == 0
    text = shown.decode().replace("\r\n", "\n")
    # Each look erases the one before and begins at home; a line that is longer would wrap.
    looks = text.split("\x1b[H")
    assert len(looks) == 3 and looks[0] == "\x1b[2J", looks[0]
    lines = re.sub(r"\x1b\[[0-9]*[A-Z]", "", looks[2]).split("\n")
    assert all(len(line) <= 80 for line in lines) and len(lines) <= 24, lines
    assert any("3 of 5 wait" in line for line in lines) and any("█" in line for line in lines), lines
    # Nothing of what is said is cut off.
    said = " ".join(" ".join(lines).split())
    assert "takes until the evening" in said and "by max_age, or by `penstock flush`" in said, lines
    assert [line for line in lines if " done " in line or " delivering " in line], lines
    if place := os.environ.get("PENSTOCK_TEST_TOP"):
        pathlib.Path(place).write_text("\n".join(lines))
    embedded.stop(process)


def read(terminal):
    """What comes next; nothing at the end, which Linux reports as an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""
