"""What operators change while a pipeline runs, by its files and by the admin service of its process alike."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import uuid

import confluent_kafka
import confluent_kafka.admin
import grpc
import pytest

from stack import LIMIT, PENSTOCK, Reflected, eventually, free_port
from test_reload import another_file, edit

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}


def rule(stages, document):
    stages["batch"]["trigger"] = {"any": [{"count": 5}, {"max_age": "10m"}, {"manual": True}]}
    stages["batch"] |= {"max_batch": 5, "poll": "100ms"}
    stages["requests"]["from"][0]["create"] = {"partitions": 1}


def begun(stack, *options):
    """A process that runs the pipeline; on a disk alone also one that brings it what `put` writes."""
    path = stack.write(change=rule)
    stack.call("migrate", path)
    files = [path]
    if not stack.kafka:
        files.append(stack.folder / "send.json")
        files[1].write_text(json.dumps({
            "version": 1, "name": "send", "sla": "24h",
            "resources": {"lines": {"url": "stdio:"}, "bus": {"url": "embedded:data/penstock.sqlite"}},
            "stages": [
                {"id": "in", "type": "ingest", "from": [{"resource": "lines"}]},
                {"id": "out", "type": "publish", "to": "bus", "topic": "report-requests", "create": {"partitions": 1}}]}))
    process = stack.start(*options, *files, stdin=subprocess.PIPE)
    return path, process


class Operator:
    """Calls commands on the pipeline's file, or on the admin service of a process that runs it."""

    def __init__(self, stack, path, socket=None):
        self.stack, self.path, self.socket = stack, path, socket

    def __call__(self, command, *arguments, check=True):
        words = command.split()
        if self.socket:
            words += ["--server", f"unix:{self.socket}"]
        return self.stack.call(*words, "conversion-reports" if self.socket else self.path, *arguments, check=check)

    def view(self):
        return json.loads(self("batches --format json").stdout)


@pytest.fixture(params=["by files", "by the service"])
def running(request, stack):
    place = stack.folder / "admin.sock"
    path, process = begun(stack, "--admin-service", f"unix:{place}")
    stack.ready()
    operator = Operator(stack, path, place if request.param == "by the service" else None)
    return stack, process, operator


def create(api, count):
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for number, case_id in enumerate(ids):
        api("CreateReport", request={"case_id": case_id, "product_id": f"p{number}", "period": MONTH})
    return ids


def put(stack, process, ids):
    """Writes requests to the topic that the pipeline reads, all to one partition."""
    lines = [json.dumps({"case_id": case_id, "product_id": "p", "period": {
        "start_time": MONTH["start_time"], "end_time": MONTH["end_time"]}}) for case_id in ids]
    if stack.kafka:
        return stack.produce("report-requests", [(b"one", line.encode(), []) for line in lines])
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.flush()


def attempts(operator, case_id):
    result = operator("case --format json", case_id, check=False)
    return [a["state"] for a in json.loads(result.stdout)["attempts"]] if result.returncode == 0 else []


def test_the_intake_is_paused_and_resumed(running):
    stack, process, operator = running
    assert operator("pause", "requests", "--reason", "the bus is moved").stderr == "paused: intake of requests\n"
    pause = operator.view()["paused"][0]
    assert pause["part"] == "intake:requests" and re.match(r"the bus is moved \(.+\)$", pause["reason"]), pause
    assert "paused      intake of requests since" in operator("batches").stdout
    ids = [str(uuid.uuid4()) for _ in range(3)]
    eventually(lambda: stack.logged(process, "operator: pause of intake of requests: the bus is moved"), "the process has seen it")
    put(stack, process, ids)
    with pytest.raises(grpc.RpcError) as refused:
        create(stack.api(), 1)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE, refused.value
    assert "paused stage requests: the bus is moved" in refused.value.details(), refused.value
    assert re.search(r"\(.+\), since 20..-..-..T.+Z; nothing was accepted: try again", refused.value.details()), refused.value
    assert [attempts(operator, case_id) for case_id in ids] == [[], [], []]
    assert operator("resume", "ready").stderr == "nothing of that is paused\n"
    for command, *name in (["resume", "nosuch"], ["pause", "nosuch"], ["flush", "nosuch"], ["batches --stage nosuch"], ["dead-letters list --stage nosuch"]):
        unknown = operator(command, *name, check=False)
        assert unknown.returncode == 64 and '"nosuch"' in unknown.stderr and "there is" in unknown.stderr, unknown.stderr
    # What is behind goes on.
    assert operator("resume").returncode == 0
    eventually(lambda: [attempts(operator, case_id) for case_id in ids] == [["pending"]] * 3, "the topic is read on")
    create(stack.api(), 2)
    eventually(lambda: operator.view()["batches"] and operator.view()["batches"][0]["state"] == "done", "five are answered")
    changes = [json.loads(line) for line in operator("changes --format json").stdout.splitlines()]
    assert [c["action"].split(":")[0] for c in changes][0] == "pause of intake of requests", changes
    assert changes[-1]["action"].startswith("end of the pause of") and all(c["actor"] for c in changes), changes
    if operator.socket:
        assert all(re.match(rf"unix:uid={os.getuid()},pid=\d+$", c["actor"]) for c in changes), changes


def test_positions(running):
    stack, process, operator = running
    first = [str(uuid.uuid4()) for _ in range(2)]
    put(stack, process, first)
    eventually(lambda: [attempts(operator, case_id) for case_id in first] == [["pending"]] * 2, "two are taken in")

    def positions():
        lines = [json.loads(line) for line in operator("positions get --format json").stdout.splitlines()]
        return {line["partition"]: line["offset"] for line in lines if line["log"].endswith(stack.topic("report-requests"))}
    before = positions()
    assert before == {0: 2}, before
    partition = 0
    topic = stack.topic("report-requests")
    refused = operator("positions set", topic, f"{partition}=0", check=False)
    assert refused.returncode == 1 and "stage requests is not paused" in refused.stderr and "penstock pause" in refused.stderr, refused.stderr
    operator("pause --intake", "--reason", "positions")
    eventually(lambda: any(e["message"].startswith("operator: pause of") for e in stack.logged_all(process)), "it is seen")
    for arguments, words in [(["nonsense", "0=0"], "reads no log"), ([topic, "17=0"], "has no partition 17"),
                             ([topic, "x=1"], "expected PARTITION=OFFSET"), ([topic, "0=-1"], "expected PARTITION=OFFSET")]:
        refused = operator("positions set", *arguments, check=False)
        assert refused.returncode == 64 and words in refused.stderr, refused.stderr
    # One is passed over, the second and the third are read: some of it was read already by whoever runs.
    more = [str(uuid.uuid4()) for _ in range(3)]
    put(stack, process, more)
    target = before[partition] + 1
    assert f"{partition}  {target}" in operator("positions set", topic, f"{partition}={target}").stdout
    assert positions() == {partition: target}
    operator("resume", "requests")
    eventually(lambda: [attempts(operator, case_id) for case_id in more] == [[], ["pending"], ["pending"]], "read from there")
    # Back to the start: the first is read at last, and nothing is there twice.
    operator("pause --intake")
    operator("positions set", topic, f"{partition}=0")
    operator("resume")
    eventually(lambda: attempts(operator, more[0]), "the one that was passed over")
    eventually(lambda: operator.view()["open"]["cases"] == 0, "five cases are a batch")
    batches = operator.view()["batches"]
    assert [batch["cases"] for batch in batches] == [5], batches
    eventually(lambda: sum(positions().values()) == 5, "all is read")
    said = operator("changes").stdout
    assert f"{partition} = {target} (was {before[partition]})" in said, said


def drop_first(stack):
    """What retention does: the first record of the topic's first partition goes."""
    topic = stack.topic("report-requests")
    if stack.kafka:
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": stack.kafka})
        for result in admin.delete_records([confluent_kafka.TopicPartition(topic, 0, 1)]).values():
            result.result(LIMIT)
        return
    with sqlite3.connect(stack.folder / "data" / "penstock.sqlite", timeout=LIMIT) as bus:
        bus.execute(
            "delete from bus_messages where message_no = (select min(message_no) from bus_messages m"
            " join bus_partitions p on p.partition_no = m.message_no >> 40 join bus_topics t using (topic_no)"
            " where t.name = ?)", (topic,))


def test_positions_that_would_strand_an_input_are_refused(running):
    stack, process, operator = running
    topic, ids = stack.topic("report-requests"), [str(uuid.uuid4()) for _ in range(3)]
    put(stack, process, ids)
    eventually(lambda: [attempts(operator, case_id) for case_id in ids] == [["pending"]] * 3, "three are taken in")
    for arguments in (("pause --intake", "ready"), ("pause --intake", "requests", "ready")):
        refused = operator(*arguments, check=False)
        assert refused.returncode == 64 and "--intake is for a pause of everything" in refused.stderr, refused.stderr
    assert operator.view()["paused"] == []
    operator("pause --intake")
    before = operator("positions get").stdout
    drop_first(stack)
    for offset, words in [(4, "and ends at 3: 4 lies beyond that"), (0, "0 lies before that, and what was there is gone")]:
        refused = operator("positions set", topic, f"0={offset}", check=False)
        assert refused.returncode == 64, refused.stderr
        assert "holds the offsets 1 to 2" in refused.stderr and words in refused.stderr, refused.stderr
    assert operator("positions get").stdout == before
    for offset in (3, 1):
        operator("positions set", topic, f"0={offset}")
    operator("resume")
    eventually(lambda: operator("positions get").stdout == before, "it is read again from the first record that is there")


def test_cases_and_flushes(running):
    stack, _, operator = running
    ids = create(stack.api(), 3)
    assert operator.view()["open"]["cases"] == 3
    assert "3 of 5 wait" in operator("batches").stdout and "with 2 others" in operator("case", ids[0]).stdout
    assert operator("cancel", ids[0], "--reason", "asked for twice").stdout == "1 case cancelled\n"
    unknown = str(uuid.uuid4())
    refused = operator("cancel", ids[0], unknown, check=False)
    assert refused.returncode == 1 and f"{unknown}: is not known" in refused.stderr, refused.stderr
    refused = operator("case", unknown, check=False)
    assert refused.returncode == 1 and f"knows no case {unknown}" in refused.stderr, refused.stderr
    assert operator("flush", "batch").stderr == "flush of batch requested\n"
    eventually(lambda: [b["state"] for b in operator.view()["batches"] if b["closed_by"] == "manual"] == ["done"], "flushed")
    life = json.loads(operator("case --format json", ids[1]).stdout)["attempts"][0]
    assert life["state"] == "succeeded" and life["batch"]["closed_by"] == "manual" and life["outcome_id"], life
    looks = operator("top --count 2 --interval 100ms").stdout.split("\n\n")
    assert len(looks) == 2 and all("0 of 5 wait" in look for look in looks), looks


def test_both_ways_show_the_same(stack):
    place = stack.folder / "admin.sock"
    path, _ = begun(stack, "--admin-service", f"unix:{place}")
    stack.ready()
    ids = create(stack.api(), 7)
    files, service = Operator(stack, path), Operator(stack, path, place)
    files("pause", "ready")
    eventually(lambda: files.view()["batches"][0]["committed_at"], "a batch is generated")
    create(stack.api(), 5)
    eventually(lambda: len(files.view()["batches"]) == 2 and files.view()["batches"][0]["committed_at"], "another one")

    def shown(operator):
        return [re.sub(r'"clock": "[^"]*"', "", operator("batches --format json").stdout), operator("positions get").stdout,
                operator("changes").stdout, *(operator("case --format json", case_id).stdout for case_id in ids)]
    assert shown(files) == shown(service)
    for command in ("batches", "resume", "dead-letters list"):
        unknown = stack.call(*command.split(), "--server", f"unix:{place}", "nosuch", check=False)
        assert unknown.returncode == 64 and "runs no pipeline \"nosuch\": it runs" in unknown.stderr, unknown.stderr


def test_begun_paused(stack):
    path, process = begun(stack, "--paused")
    put(stack, process, [str(uuid.uuid4()) for _ in range(5)])
    operator = Operator(stack, path)
    eventually(lambda: operator("batches", check=False).returncode == 0, "the ledger knows the stage")
    eventually(lambda: {p["part"] for p in operator.view()["paused"]} == {
        "intake:requests", "seal", "generate", "deliver:ready", "deliver:answers"}, "everything is paused")
    assert "started with --paused" in operator("changes").stdout
    assert operator.view()["open"]["cases"] == 0
    operator("resume", "requests")
    eventually(lambda: operator.view()["open"]["cases"] == 5, "requests are taken in")
    operator("resume")
    eventually(lambda: [b["state"] for b in operator.view()["batches"]] == ["done"], "they are answered")
    # Once only: not when a reload is undone.
    create(stack.api(), 1)
    text = open(path).read()
    with another_file(stack) as change:
        edit(path, change)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: stack.logged(process, "reload undone: the new files can't run here, the old ones go on"), "undone")
    stack.ready()
    with open(path, "w") as file:
        file.write(text)
    assert operator.view()["paused"] == []
    stack.stop(process)


def test_a_reload_is_answered(stack):
    path = stack.write(change=rule)
    stack.call("migrate", path)
    place = stack.folder / "admin.sock"
    process = stack.start("--admin-service", f"unix:{place}", path)
    stack.ready()
    operator = Operator(stack, path, place)
    case_id = create(stack.api(), 1)[0]
    good = open(path).read()
    document = json.loads(good)
    next(s for s in document["stages"] if s["id"] == "batch")["trigger"] = {"any": [{"count": 2}, {"max_age": "10m"}]}
    with open(path, "w") as file:
        json.dump(document, file)
    result = stack.call("reload", f"unix:{place}")
    assert result.stdout == "reloaded: conversion-reports\n", result
    assert operator.view()["open"]["full_at"] == 2 and attempts(operator, case_id) == ["pending"]
    with open(path, "w") as file:
        file.write(good[:-20])
    result = stack.call("reload", f"unix:{place}", check=False)
    assert result.returncode == 1 and "FAILED_PRECONDITION" in result.stderr and "conversion-reports.json" in result.stderr, result.stderr
    # It can't run here: the stage that holds the waiting case is gone.
    document["stages"] = json.loads(json.dumps(document["stages"]).replace('"batch"', '"renamed"'))
    with open(path, "w") as file:
        json.dump(document, file)
    result = stack.call("reload", f"unix:{place}", check=False)
    assert result.returncode == 1 and "migrate --rename" in result.stderr, result.stderr
    assert attempts(operator, case_id) == ["pending"] and operator.view()["stage"] == "batch"
    # Nor can this: another process has the API's address.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        document = json.loads(good)
        document["resources"]["api"]["url"] = f"grpc://127.0.0.1:{taken.getsockname()[1]}"
        with open(path, "w") as file:
            json.dump(document, file)
        result = stack.call("reload", f"unix:{place}", check=False)
        assert result.returncode == 1 and "already in use" in result.stderr, result.stderr
    stack.ready()
    assert attempts(operator, case_id) == ["pending"]
    stack.stop(process)
    # What is logged last is written before the end.
    assert stack.logged(process, "stopped"), process.log.read_text()
    result = stack.call("reload", f"unix:{place}", check=False)
    assert result.returncode == 69, result.stderr


def test_who_may(embedded):
    path = embedded.write(change=rule)
    for address in ("0.0.0.0:9000", "[::]:9000", "10.0.0.1:9000", ":9000", "127.evil.example:9000", "127.0.0.1.nip.example:9000"):
        result = embedded.call("run", "--admin-service", address, path, check=False)
        assert result.returncode == 64 and "socket" in result.stderr and "loopback" in result.stderr, result.stderr
    for server in ("", "bogus", "unix:", "admin.sock", "grpc://127.0.0.1"):
        result = embedded.call("batches", "--server", server, "conversion-reports", check=False)
        assert result.returncode == 64 and "expected unix:PATH or host:port" in result.stderr, result.stderr
    nowhere = embedded.call("run", "--admin-service", "unix:", path, check=False)
    assert nowhere.returncode == 64 and "path is missing" in nowhere.stderr, nowhere.stderr
    # Whatever else has the name is left alone.
    precious = embedded.folder / "precious"
    precious.write_text("data")
    refused = embedded.call("run", "--admin-service", f"unix:{precious}", path, check=False)
    assert refused.returncode == 69 and precious.read_text() == "data", refused.stderr
    place = embedded.folder / "admin.sock"
    process = embedded.start("--admin-service", f"unix:{place}", path)
    embedded.ready()
    mode = os.stat(place).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
    if os.getuid() == 0:
        os.chmod(embedded.folder, 0o755)
        stranger = subprocess.run(
            ["python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])", str(place)],
            user=65534, capture_output=True, text=True, cwd="/")
        assert "Permission denied" in stranger.stderr or "PermissionError" in stranger.stderr, stranger
    api = Reflected(f"unix:{place}", "penstock.admin.v1.AdminService")
    for method, fields, code in [
            ("GetStage", {"pipeline": "nonsense"}, "NOT_FOUND"), ("GetStage", {"pipeline": "conversion-reports", "stage": "x"}, "INVALID_ARGUMENT"),
            ("GetStage", {"pipeline": "conversion-reports", "batch_limit": -1}, "INVALID_ARGUMENT"),
            ("GetCase", {"pipeline": "conversion-reports", "case_id": "x"}, "INVALID_ARGUMENT"),
            ("GetCase", {"pipeline": "conversion-reports", "case_id": str(uuid.uuid4())}, "NOT_FOUND"),
            ("CancelCases", {"pipeline": "conversion-reports", "reason": "x"}, "INVALID_ARGUMENT"),
            ("PauseStages", {"pipeline": "conversion-reports"}, "INVALID_ARGUMENT"),
            ("PauseStages", {"pipeline": "conversion-reports", "reason": "  "}, "INVALID_ARGUMENT"),
            ("SetPositions", {"pipeline": "conversion-reports"}, "INVALID_ARGUMENT")]:
        with pytest.raises(grpc.RpcError) as refused:
            api(method, **fields)
        assert refused.value.code().name == code, (method, fields, refused.value)
    assert api("GetStage", pipeline="conversion-reports")["stage"]["open"]["full_at"] == 5
    # A second process does not take the socket away.
    again = embedded.call("run", "--admin-service", f"unix:{place}", path, check=False,
                          PENSTOCK_LISTEN=f"grpc://127.0.0.1:{free_port()}")
    assert again.returncode == 69 and "in use" in again.stderr, again.stderr
    embedded.stop(process)
    assert not place.exists()
    # What a killed process has left does not stand in the way.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    embedded.start("--admin-service", f"unix:{place}", path)
