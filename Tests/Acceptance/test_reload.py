"""A running process reads its files anew: what waits keeps its place and its deadline, whatever the files say."""

import contextlib
import fcntl
import json
import pathlib
import signal
import socket
import subprocess
import threading
import time
import urllib.request
import uuid

import grpc
import pytest

from stack import LIMIT, PENSTOCK, eventually, free_port

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}


def accumulate(document):
    return next(stage for stage in document["stages"] if stage["type"] == "accumulate")


def edit(path, change):
    """Writes the file in one step, as editors do."""
    path = pathlib.Path(path)
    document = json.loads(path.read_text())
    change(document)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document))
    new.rename(path)


def rule(count, age="10m"):
    def change(document):
        accumulate(document)["trigger"] = {"any": [{"count": count}, {"max_age": age}]}
        accumulate(document)["max_batch"] = max(count, 5)
    return change


def started(stack, *more, count=5, age="10m"):
    path = stack.write()
    edit(path, rule(count, age))
    stack.call("migrate", path)
    port = free_port()
    process = stack.start("--admin", str(port), *more, path)
    stack.ready()
    return path, process, port


def reloads(port, result):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).read().decode()
    return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                if line.startswith(f'penstock_reloads_total{{result="{result}"}}'))


def create(stack, case_id=None):
    """As a client does that is told to try again."""
    case_id = case_id or str(uuid.uuid4())

    def accepted():
        try:
            stack.api()("CreateReport", request={"case_id": case_id, "product_id": "p", "period": MONTH})
            return True
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
                                    grpc.StatusCode.CANCELLED), error
            return False
    eventually(accepted, "the request is accepted")
    return case_id


def view(stack, path):
    return json.loads(stack.call("batches", path, "--format", "json").stdout)


def answered(stack, case_id):
    answer = stack.api()("WaitReport", case_id=case_id, timeout="30s")
    return "report" in answer or answer["status"]["state"].endswith("FAILED")


def reload(stack, process, port, result="done"):
    def answers():
        return {result: reloads(port, result) for result in ("done", "refused", "undone")}
    before = answers()
    process.send_signal(signal.SIGHUP)
    eventually(lambda: answers() != before, "the reload has an answer")
    assert answers() == {**before, result: before[result] + 1}, stack.logged_all(process)[-3:]


def test_another_rule_comes_into_force_for_what_waits(stack):
    path, process, port = started(stack)
    ids = [create(stack) for _ in range(3)]
    oldest = view(stack, path)["open"]["oldest_accepted_at"]
    edit(path, rule(4))
    reload(stack, process, port)
    eventually(lambda: stack.logged(process, "reload: goes on with the new files"), "it goes on")
    stack.ready()
    eventually(lambda: view(stack, path)["rule_revision"] == 2, "the new rule is in force")
    now = view(stack, path)
    assert now["open"]["cases"] == 3 and now["open"]["oldest_accepted_at"] == oldest and now["open"]["full_at"] == 4, now
    assert now["batches"] == [], "nothing was sealed early"
    ids.append(create(stack))
    for case_id in ids:
        assert answered(stack, case_id)
    assert process.poll() is None


def test_the_deadline_of_the_open_batch_is_kept(embedded):
    path, process, port = started(embedded, age="8s")
    case_id = create(embedded)
    accepted = view(embedded, path)["open"]["oldest_accepted_at"]
    for count in (6, 7, 8):
        edit(path, rule(count, "8s"))
        reload(embedded, process, port)
        embedded.ready()
    eventually(lambda: view(embedded, path)["batches"], "it is sealed")
    batch = view(embedded, path)["batches"][0]
    assert batch["closed_by"] == "max_age" and batch["oldest_accepted_at"] == accepted
    sealed, since = (time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) for text in (batch["sealed_at"], accepted))
    assert 7 <= sealed - since <= 9, batch
    assert answered(embedded, case_id)


def test_files_that_are_not_in_order_change_nothing(stack):
    path, process, port = started(stack)
    right = pathlib.Path(path).read_text()
    pathlib.Path(path).write_text(right.replace('"max_batch"', '"max_bacth"'))
    reload(stack, process, port, "refused")
    eventually(lambda: stack.logged(process, "reload refused: the pipelines go on as before"), "it is said")
    create(stack)
    pathlib.Path(path).unlink()
    reload(stack, process, port, "refused")
    create(stack)
    pathlib.Path(path).write_text(right)
    assert view(stack, path)["open"]["cases"] == 2 and process.poll() is None


@contextlib.contextmanager
def calls(stack):
    """Callers that come all the time, on connections that they keep: none is ever told of anything."""
    over, errors, made = threading.Event(), [], []

    def load(api):
        while not over.wait(0.01):
            try:
                case_id = str(uuid.uuid4())
                made.append(api("CreateReport", request={"case_id": case_id, "product_id": "p", "period": MONTH}))
                api("GetReport", case_id=case_id)
            except grpc.RpcError as error:
                errors.append(error)
    threads = [threading.Thread(target=load, args=(stack.api(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        over.set()
        for thread in threads:
            thread.join(LIMIT)
    assert errors == [] and made, errors[:3]


def rename(document):
    """What waits under the old name would be nobody's."""
    accumulate(document)["id"] = "other"


@contextlib.contextmanager
def another_file(stack):
    """An edit that can't run here, which nobody knows beforehand: it announces to a file on which another process runs."""
    name = "more.sqlite"

    def change(document):
        document["resources"]["more"] = {"url": f"embedded:{name}"}
        document["stages"].append({"id": "more", "type": "publish", "to": "more", "topic": "copies"})
    with open(stack.folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield change


def test_what_would_be_stranded_is_refused_and_no_caller_hears_of_it(stack):
    path, process, port = started(stack, count=100_000)
    case_id = create(stack)
    right = pathlib.Path(path).read_text()
    with calls(stack):
        for _ in range(3):
            edit(path, rename)
            reload(stack, process, port, "refused")
            pathlib.Path(path).write_text(right)
    told = eventually(lambda: stack.logged(process, "reload refused: the pipelines go on as before"), "it is said")[0]
    assert "[state-unowned]" in told["metadata"]["error"] and "--rename conversion-reports/batch=" in told["metadata"]["error"], told
    assert reloads(port, "undone") == 0 and "status" in stack.api()("GetReport", case_id=case_id)


def test_an_address_that_is_taken_is_refused_and_no_caller_hears_of_it(stack):
    path, process, port = started(stack, count=100_000)
    with socket.create_server(("127.0.0.1", 0)) as taken, calls(stack):
        edit(path, lambda document: document["resources"]["api"].update(url=f"grpc://127.0.0.1:{taken.getsockname()[1]}"))
        reload(stack, process, port, "refused")
    told = eventually(lambda: stack.logged(process, "reload refused: the pipelines go on as before"), "it is said")[0]
    assert "in use" in told["metadata"]["error"], told


def test_files_that_cannot_run_here_give_way_to_the_old_ones_and_no_caller_hears_of_it(stack):
    path, process, port = started(stack, count=100_000)
    with another_file(stack) as change, calls(stack):
        edit(path, change)
        reload(stack, process, port, "undone")
    told = eventually(lambda: stack.logged(process, "reload undone: the new files can't run here, the old ones go on"), "it is said")[0]
    assert "[store-in-use]" in told["metadata"]["error"], told
    stack.ready()
    assert process.poll() is None


def test_while_a_ledger_does_not_answer_those_go_on_that_run(real):
    """New ones could not begin; those that run do what they can, and no caller hears of it."""
    path, process, port = started(real, count=90_000)
    edit(path, rule(100_000))
    with real.locked("penstock.deliveries"), calls(real):
        reload(real, process, port, "refused")
    told = eventually(lambda: real.logged(process, "reload refused: the pipelines go on as before"), "it is said")[0]
    assert "the ledger of conversion-reports/batch in postgres" in told["metadata"]["error"], told
    assert "does not answer" in told["metadata"]["error"], told
    reload(real, process, port)


def test_a_reload_that_fails_has_one_answer_and_the_next_one_its_own(stack):
    path, process, port = started(stack)
    case_id = create(stack)
    right = pathlib.Path(path).read_text()
    with another_file(stack) as change:
        for count in (1, 2):
            edit(path, rename)
            reload(stack, process, port, "refused")
            pathlib.Path(path).write_text(right)
            edit(path, change)
            reload(stack, process, port, "undone")
            pathlib.Path(path).write_text(right)
            reload(stack, process, port)
            assert [reloads(port, result) for result in ("done", "undone", "refused")] == [count] * 3

    def told():
        lines = [event["message"] for event in stack.logged_all(process) if event["message"].startswith("reload")]
        return [line for line in lines if "goes on" in line or "go on" in line]
    # Lines are written two a second.
    eventually(lambda: len(told()) == 6, "the answers are logged")
    assert told() == 2 * [
        "reload refused: the pipelines go on as before",
        "reload undone: the new files can't run here, the old ones go on", "reload: goes on with the new files"]
    assert view(stack, path)["open"]["cases"] == 1, case_id


def test_gauges_of_what_is_not_named_any_more_go(stack):
    path, process, port = started(stack)

    def more(document):
        document["resources"]["more"] = {"url": "memory:3MiB"}
        document["stages"].append({"id": "more", "type": "cache", "in": "more", "key": "report:{case_id}", "ttl": "1h"})

    def gauges():
        """Names with labels; a counter that has counted stays."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).read().decode()
        kinds = dict(line.split(" ")[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
        return {line.rsplit(" ", 1)[0] for line in text.splitlines() if kinds.get(line.split("{")[0]) == "gauge"}

    def of_more():
        return {name for name in gauges() if "memory:3MiB" in name or 'stage="more"' in name}

    assert of_more() == set()
    right = pathlib.Path(path).read_text()
    edit(path, more)
    reload(stack, process, port)
    wanted = {'penstock_resource_up{resource="memory:3MiB"}',
              'penstock_undelivered_batches{pipeline="conversion-reports",stage="more"}'}
    eventually(lambda: wanted <= of_more(), "the new ones are there")
    pathlib.Path(path).write_text(right)
    reload(stack, process, port)
    eventually(lambda: of_more() == set(), "they are gone", limit=20)


def test_who_connects_during_a_reload_waits_and_is_not_turned_away(stack):
    path, process, port = started(stack, count=1000)
    over, errors, made = threading.Event(), [], []

    def load():
        while not over.is_set():
            # A connection of its own each time.
            with grpc.insecure_channel(f"127.0.0.1:{stack.port}") as channel:
                # A call, not readiness alone: what is ready may be told to go before anybody has seen it ready.
                check = channel.unary_unary("/grpc.health.v1.Health/Check")
                try:
                    made.append(check(b"", wait_for_ready=True, timeout=LIMIT))
                except grpc.RpcError as error:
                    errors.append(error)

    def connect():
        while not over.is_set():
            try:
                socket.create_connection(("127.0.0.1", stack.port), LIMIT).close()
            except OSError as error:
                errors.append(error)
            time.sleep(0.002)
    threads = [threading.Thread(target=work) for work in (load, connect)]
    for thread in threads:
        thread.start()
    for count in range(1001, 1006):
        edit(path, rule(count))
        reload(stack, process, port)
    over.set()
    for thread in threads:
        thread.join(LIMIT)
    assert errors == [] and made, errors[:3]
    stack.stop(process)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", stack.port), LIMIT)


def test_watching(embedded):
    path, process, port = started(embedded, "--watch")
    create(embedded)
    edit(path, rule(6))
    eventually(lambda: reloads(port, "done") == 1, "the file is read anew")
    embedded.ready()
    eventually(lambda: view(embedded, path)["rule_revision"] == 2, "the new rule is in force")
    edit(path, lambda document: document.update(nonsense=1))
    eventually(lambda: reloads(port, "refused") == 1, "what is wrong is refused, once")
    edit(path, lambda document: document.pop("nonsense"))
    create(embedded)
    assert view(embedded, path)["open"]["cases"] == 2 and process.poll() is None


def test_under_load_nothing_is_lost(stack):
    path, process, port = started(stack, count=7, age="2s")
    ids, over = [], threading.Event()

    def load():
        while not over.is_set():
            ids.append(create(stack))
    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    number = 0
    while number < 12 or len(ids) < 30:
        edit(path, rule(5 + number % 4, f"{1 + number % 3}s"))
        reload(stack, process, port)
        stack.ready()
        number += 1
        assert number < 200, ids
    over.set()
    for client in clients:
        client.join(LIMIT)
    for case_id in ids:
        assert answered(stack, case_id), case_id
    assert process.poll() is None
    stack.stop(process)


def test_a_wish_to_reload_that_comes_too_early_is_kept(embedded):
    """A process that reads its files, or has not got so far, is not ended by SIGHUP: it does as it is told once it runs."""
    log = embedded.folder / "early.log"
    path = pathlib.Path(embedded.write())
    with open(log, "w") as out:
        process = subprocess.Popen(
            [PENSTOCK, "run", "--log-format", "json", "-"], cwd=embedded.folder, env=embedded.environment,
            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
    process.log = log
    embedded.processes.append(process)

    def has_begun():
        """What it does first of all is to ignore SIGPIPE; then it waits for the rest of its file."""
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(status.split("SigIgn:")[1].split()[0], 16) & 1 << signal.SIGPIPE - 1

    eventually(has_begun, "it has begun")
    process.send_signal(signal.SIGHUP)
    process.stdin.write(path.read_bytes())
    process.stdin.close()
    # Standard input can't be read a second time: that it says so is the answer.
    eventually(lambda: process.poll() is not None or "reload refused" in log.read_text(), "it has an answer")
    assert process.poll() is None and "standard input can't be read a second time" in log.read_text(), log.read_text()
    embedded.stop(process)


def test_a_store_with_open_work_is_not_left(embedded):
    """Nobody would work on what waits there any more."""
    path = embedded.write()
    socket_path = f"unix:{embedded.folder}/admin.sock"
    process = embedded.start(path, "--admin-service", socket_path)
    embedded.ready()
    case_id = create(embedded)
    edit(path, lambda document: document["resources"]["store"].update(url="embedded:data/other.sqlite"))
    refused = embedded.call("reload", socket_path, check=False)
    assert refused.returncode == 1, refused
    assert "conversion-reports/batch in embedded:" in refused.stderr and "1 " in refused.stderr, refused.stderr
    eventually(lambda: embedded.logged(process, "reload refused: the pipelines go on as before"), "it is logged")
    assert not (embedded.folder / "data/other.sqlite").exists()
    embedded.call("flush", "--server", socket_path, "conversion-reports", "batch")
    assert answered(embedded, case_id)
    eventually(lambda: embedded.call("reload", socket_path, check=False).returncode == 0, "nothing is open any more")
    assert (embedded.folder / "data/other.sqlite").exists()
