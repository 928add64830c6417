"""A stop is over within the grace and two seconds, whatever hangs, and leaves no lease behind."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import time

import grpc
import pytest
import redis_server

from events import requests
from stack import LIMIT, PENSTOCK, eventually
from test_real import message, sample, seal

GRACE = 2
FORCED = 70


@contextlib.contextmanager
def paused(*pids):
    """Processes that keep their sockets and do nothing."""
    for pid in pids:
        os.kill(int(pid), signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(int(pid), signal.SIGCONT)


def listening(port):
    """The process that listens on a port."""
    inodes = {
        line.split()[9] for table in ("tcp", "tcp6") for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(entry)[8:-1] in inodes for entry in (process / "fd").iterdir()):
                return int(process.name)
    raise AssertionError(f"nobody listens on {port}")


def ended(process, grace=GRACE, number=signal.SIGTERM):
    """Stops it, and answers its exit code; it must be gone in time."""
    begin = time.monotonic()
    process.send_signal(number)
    try:
        code = process.wait(grace + 30)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"still there after {grace + 30} s\n{process.log.read_text()[-3000:]}")
    took = time.monotonic() - begin
    assert took <= grace + 2, f"{took:.1f} s with a grace of {grace} s\n{process.log.read_text()[-3000:]}"
    return code


def submitted(stack, request):
    """A CreateReport that is in flight."""
    api = stack.api()
    return api.methods["CreateReport"][1].future(api.request("CreateReport", {"request": request}), timeout=LIMIT)


def waiting(stack, request):
    """A CreateReport whose statement waits for a lock: callers are answered before long, so that it may take another one."""
    calls = []

    def waits():
        if not calls or calls[-1].done():
            calls.append(submitted(stack, request))
        return stack.sql("select 1 from pg_locks where not granted")

    eventually(waits, "the call waits")
    return calls[-1]


def idle(stack):
    return [row[0] for row in stack.sql("select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")]


def test_a_call_that_waits_for_a_locked_table_keeps_nobody(real):
    events = sample(real)
    process = real.start("--grace", f"{GRACE}s", real.write())
    real.ready()
    with real.locked("penstock.cases"):
        call = waiting(real, requests(events, 1, seed=31)[0])
        assert ended(process) == 0
        assert call.code() == grpc.StatusCode.UNAVAILABLE, call


@pytest.mark.alone
def test_a_call_that_waits_for_a_server_that_stands_still_keeps_nobody(real):
    events = sample(real)
    process = real.start("--grace", f"{GRACE}s", real.write())
    api = real.api()
    api("CreateReport", request=requests(events, 1, seed=32)[0])
    server = int(pathlib.Path(real.sql("show data_directory")[0][0], "postmaster.pid").read_text().split()[0])
    with paused(*idle(real), server):
        call = submitted(real, requests(events, 1, seed=33)[0])
        time.sleep(0.5)
        ended(process)
        assert call.code() == grpc.StatusCode.UNAVAILABLE, call


def test_a_second_pipeline_that_hangs_keeps_nobody(real):
    sample(real)
    reports, counted = real.write(), real.write("conversion-events")
    process = real.start("--grace", f"{GRACE}s", reports, counted)
    with real.locked("conversion.events"):
        real.produce("conversion-events", [(
            b"p", b'{"event_id": "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", "kind": "VIEW", "product_id": "p",'
                  b' "occurred_at": "2026-10-01T00:00:00Z"}', [])])
        eventually(lambda: real.sql("select 1 from pg_locks where not granted"), "an event waits")
        ended(process)


@pytest.mark.alone
def test_a_worker_without_its_broker_keeps_nobody(real):
    events = sample(real)
    path = real.write(change=seal(1))
    process = real.start("--grace", f"{GRACE}s", "--role", "worker", path, serving=False)
    wanted = requests(events, 2, seed=34)
    real.produce("report-requests", [message(wanted[0])])
    real.consume("report-ready", count=1)
    with paused(listening(int(real.kafka.rsplit(":", 1)[1]))):
        # Its announcement finds no broker.
        real.sql("update penstock.deliveries set delivered_at = null, only_parked = false where sink = 'ready'")
        real.sql("update penstock.batches set done_at = null")
        eventually(lambda: real.sql("select 1 from penstock.deliveries where lease_until is not null"), "a delivery is in flight")
        ended(process)
        assert not real.sql("select sink from penstock.deliveries where lease_until is not null")


@pytest.mark.alone
def test_a_consumer_whose_broker_stands_still_ends_by_itself(real):
    """The group notices by itself that it has gone."""
    events = sample(real)
    process = real.start("--grace", f"{GRACE}s", "--role", "worker", real.write(), real.write("conversion-events"), serving=False)
    real.produce("report-requests", [message(requests(events, 1, seed=38)[0])])
    eventually(lambda: real.sql("select 1 from penstock.cases"), "it reads")
    with paused(listening(int(real.kafka.rsplit(":", 1)[1]))):
        # Long enough for whatever it asks the broker by itself.
        time.sleep(12)
        assert ended(process) == 0, process.log.read_text()[-3000:]


def state(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.mark.alone
def test_a_claim_that_was_given_up_midway_leaves_no_lease(real):
    events = sample(real)

    def looks_often(stages, document):
        seal(1)(stages, document)
        stages["batch"]["poll"] = "500ms"

    process = real.start("--grace", f"{GRACE}s", "--role", "worker", real.write(change=looks_often), serving=False)
    request = requests(events, 1, seed=39)[0]
    real.produce("report-requests", [message(request)])
    real.consume("report-ready", count=1)
    server = int(pathlib.Path(real.sql("show data_directory")[0][0], "postmaster.pid").read_text().split()[0])
    other = subprocess.Popen(["psql", real.environment["PENSTOCK_STORE"], "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def said(statement):
        other.stdin.write(statement + ";\n")
        other.stdin.flush()
        return other.stdout.readline()

    said("begin; update penstock.deliveries set delivered_at = null, only_parked = false where sink = 'ready' returning 1")
    said("update penstock.batches set done_at = null returning 1")
    sessions = "select pid from pg_stat_activity where datname = current_database() and application_name = 'penstock'"
    # Sessions that stand still take a claim in only when nobody waits for its answer any more.
    pids = [row[0] for row in real.sql(sessions)]
    # Nor can the server be asked to cancel it.
    with paused(server):
        with paused(*pids):
            said("commit; select 1")
            time.sleep(3)
            ended(process)
        eventually(lambda: all(state(pid) == "Z" for pid in pids), "the sessions have done what they were told")
    other.stdin.close()
    eventually(lambda: not real.sql(sessions), "its sessions are gone")
    assert not real.sql("select sink from penstock.deliveries where lease_until is not null")


def test_a_cache_that_stands_still_keeps_nobody(real, tmp_path):
    events = sample(real)
    cache = redis_server.RedisServer(tmp_path)
    cache.start()
    real.environment["PENSTOCK_CACHE"] = cache.url
    process = real.start("--grace", f"{GRACE}s", real.write(change=seal(1)))
    api = real.api()
    with paused(cache.process.pid):
        api("CreateReport", request=requests(events, 1, seed=35)[0])
        assert ended(process) == 0
    cache.stop()


def test_a_generation_that_outlasts_the_grace_is_handed_back_at_once(real):
    events = sample(real)
    path = real.write(change=seal(1))
    process = real.start("--grace", f"{GRACE}s", path)
    api = real.api()
    with real.locked("conversion.events"), real.locked("conversion.rollup_day"):
        request = requests(events, 1, seed=36)[0]
        api("CreateReport", request=request)
        eventually(lambda: real.sql("select 1 from penstock.batches where lease_until is not null"), "the batch is claimed")
        ended(process)
        assert real.sql("select attempts, lease_until is null, not_before is null from penstock.batches") == [["0", "t", "t"]]
    begin = time.monotonic()
    real.start(path)
    real.api()("WaitReport", case_id=request["case_id"], timeout="60s")
    assert time.monotonic() - begin < 20, "the lease of the first had to run out"


def test_what_cannot_be_ended_is_ended_by_force_and_named(embedded):
    """A log that nobody reads blocks whoever writes to it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4096)
    process = subprocess.Popen(
        [PENSTOCK, "run", "--grace", "1s", embedded.write()], cwd=embedded.folder, env=embedded.environment, stderr=writing)
    eventually(lambda: (embedded.folder / "data").exists(), "it runs")
    time.sleep(1)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(LIMIT) == FORCED
        assert time.monotonic() - begin <= 3
    finally:
        process.kill()
        os.close(reading)
        os.close(writing)


def test_a_second_signal_ends_it_at_once(real):
    events = sample(real)
    process = real.start("--grace", "60s", real.write())
    real.ready()
    with real.locked("penstock.cases"):
        request = requests(events, 1, seed=37)[0]
        real.produce("report-requests", [(request["case_id"].encode(), json.dumps(request).encode(), [])])
        eventually(lambda: real.sql("select 1 from pg_locks where not granted"), "the record waits")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 128 + signal.SIGTERM
        # A minute is the grace.
        assert time.monotonic() - begin < 10
