"""What clients are told while a backend is away, and while the process is short of descriptors."""

import contextlib
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import grpc
import http2
import pytest

from events import requests
from postgres_servers import AS_POSTGRES, PostgresPair
from stack import LIMIT, PENSTOCK, Reflected, eventually, free_port
from test_real import sample
from test_stop import idle, listening, paused


def create(api, request):
    """The status of a CreateReport, and the seconds it took."""
    begin = time.monotonic()
    with pytest.raises(grpc.RpcError) as refused:
        api("CreateReport", request=request)
    return refused.value, time.monotonic() - begin


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz?verbose", timeout=LIMIT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_a_create_on_a_locked_store_is_answered_within_two_seconds_and_may_be_repeated(real):
    events = sample(real)
    real.start(real.write())
    real.ready()
    api = real.api()
    request = requests(events, 1, seed=41)[0]
    with real.locked("penstock.cases"):
        refused, took = create(api, request)
        assert refused.code() == grpc.StatusCode.UNAVAILABLE and took < 2, (refused, took)
        assert "is not known: repeat it with the same case_id" in refused.details()
        assert "RetryInfo" in str(refused.trailing_metadata())
    assert api("CreateReport", request=request)["case_id"] == request["case_id"]
    assert real.sql("select count(*) from penstock.cases") == [["1"]]


def test_a_create_on_a_store_that_is_away_says_why(real):
    events = sample(real)
    path = real.write()
    database = real.environment["PENSTOCK_STORE"]
    real.environment["PENSTOCK_STORE"] = f"postgres://penstock@127.0.0.1:{free_port()}/nobody"
    admin = free_port()
    real.start("--admin", f"127.0.0.1:{admin}", path)
    real.environment["PENSTOCK_STORE"] = database
    channel = grpc.insecure_channel(f"127.0.0.1:{real.port}")
    api = Reflected(f"127.0.0.1:{real.port}")
    refused, took = create(api, requests(events, 1, seed=42)[0])
    assert refused.code() == grpc.StatusCode.UNAVAILABLE and took < 2, (refused, took)
    assert "Connection refused" in refused.details() and "nothing was accepted" in refused.details()
    status, text = ready(admin)
    assert status == 503 and "FAIL  postgres://" in text and "Connection refused" in text, text
    assert real.call("health", "--server", f"127.0.0.1:{real.port}", check=False).returncode == 1
    channel.close()


@pytest.mark.alone
def test_readiness_asks_the_broker(real):
    sample(real)
    admin = free_port()
    real.start("--admin", f"127.0.0.1:{admin}", "--role", "worker", real.write(), serving=False)
    eventually(lambda: ready(admin)[0] == 200, "ready")
    with paused(listening(int(real.kafka.rsplit(":", 1)[1]))):
        eventually(lambda: ready(admin)[0] == 503, "not ready", limit=30)
        assert "FAIL  kafka://" in ready(admin)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/healthz", timeout=LIMIT) as answer:
            assert answer.status == 200
    eventually(lambda: ready(admin)[0] == 200, "ready again", limit=60)


def test_silent_connections_beyond_the_limit_of_files_make_the_api_deaf_for_nobody(embedded):
    log, admin = embedded.folder / "run.log", free_port()
    with open(log, "w") as out:
        process = subprocess.Popen(
            [PENSTOCK, "run", "--admin", f"127.0.0.1:{admin}", embedded.write()], cwd=embedded.folder, env=embedded.environment, stderr=out,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
    embedded.processes.append(process)
    process.log = log

    def answer():
        channel = grpc.insecure_channel(f"127.0.0.1:{embedded.port}")
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return call(b"", timeout=20, wait_for_ready=True) is not None
        finally:
            channel.close()

    eventually(lambda: embedded.call("health", "--server", f"127.0.0.1:{embedded.port}", check=False).returncode == 0, "it serves")
    with grpc.insecure_channel(f"127.0.0.1:{embedded.port}") as first:
        check = first.unary_unary("/grpc.health.v1.Health/Check")
        check(b"", timeout=20)
        silent = []
        for _ in range(300):
            connection = socket.socket()
            connection.settimeout(5)
            try:
                connection.connect(("127.0.0.1", embedded.port))
            except OSError:
                pass
            silent.append(connection)
        check(b"", timeout=20)
        # New ones are turned away, or old ones for them.
        status, text = eventually(lambda: (ready(admin)[0] == 503 and ready(admin)), "not ready", limit=20)
        assert "FAIL  api  " in text and "connections are open, as many as may be" in text, text
        assert answer(), "nobody new is served while they are there"
        for connection in silent:
            connection.close()
        assert answer(), "nobody new is served when they have gone"
        eventually(lambda: ready(admin)[0] == 200, "ready again", limit=20)
        check(b"", timeout=20)


def test_with_too_few_files_to_open_it_says_so_and_with_just_enough_it_serves(embedded):
    # Below that, libraries would end it by a trap.
    path = embedded.write()

    def start(limit, *arguments):
        log = embedded.folder / f"{arguments[0]}-{limit}.log"
        with open(log, "w") as out:
            process = subprocess.Popen(
                [PENSTOCK, *arguments], cwd=embedded.folder, env=embedded.environment, stderr=out, stdin=subprocess.DEVNULL,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        process.log = log
        embedded.processes.append(process)
        return process

    for limit in (20, 22, 24, 32, 63):
        for arguments in (["run", path], ["generate", "--listen", f"grpc://127.0.0.1:{free_port()}"]):
            process = start(limit, *arguments)
            assert process.wait(timeout=LIMIT) == 69, (limit, arguments, process.log.read_text())
            assert process.log.read_text().splitlines()[-1].endswith(
                f"this process may open {limit} files, and needs 64 at least: raise the limit of open files (ulimit -n)")
    process = start(64, "run", path)
    eventually(lambda: embedded.call("health", "--server", f"127.0.0.1:{embedded.port}", check=False).returncode == 0, "it serves")
    embedded.stop(process)


@contextlib.contextmanager
def small_disk(folder):
    """A disk of 96 MiB, and what fills it up to the last byte."""
    folder.mkdir(exist_ok=True)
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", folder]).returncode != 0:
        pytest.skip("only root can make a small disk")
    filler = folder / "filler"

    def fill():
        with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size):
                        pass
        assert shutil.disk_usage(folder).free == 0

    try:
        yield fill, filler
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def refused_for_want_of_space(stack, admin, wanted, reason):
    """Every caller is told within two seconds, and readiness is lost; nobody was told that he was accepted."""
    api = stack.api()

    def is_refused():
        refused = None
        try:
            api("CreateReport", request=next(wanted))
        except grpc.RpcError as error:
            refused = error
        return refused

    refused = eventually(is_refused, "the disk is full")
    begin = time.monotonic()
    again = is_refused()
    took = time.monotonic() - begin
    for error in filter(None, (refused, again)):
        assert error.code() == grpc.StatusCode.UNAVAILABLE and reason in error.details(), error
        assert "RetryInfo" in str(error.trailing_metadata())
    assert took < 2.5, took
    status, text = eventually(lambda: (ready(admin)[0] == 503 and ready(admin)), "not ready", limit=30)
    assert reason in text, text
    assert stack.call("health", "--server", f"127.0.0.1:{stack.port}", check=False).returncode == 1


def test_a_full_disk_of_the_embedded_store_is_told_to_callers_and_to_who_asks_for_readiness(embedded):
    with small_disk(embedded.folder / "data") as (fill, filler):
        admin = free_port()
        process = embedded.start("--admin", f"127.0.0.1:{admin}", embedded.write())
        embedded.ready()
        wanted = iter(anyones(5000))
        embedded.api()("CreateReport", request=next(wanted))
        fill()
        refused_for_want_of_space(embedded, admin, wanted, "disk")
        filler.unlink()
        eventually(lambda: ready(admin)[0] == 200, "ready again", limit=60)
        assert embedded.api()("CreateReport", request=next(wanted))["case_id"]
        embedded.stop(process)


def test_a_full_disk_of_postgres_is_told_to_callers_and_to_who_asks_for_readiness(real, tmp_path):
    with PostgresPair(standby=False) as server, small_disk(server.folder / "small") as (fill, filler):
        place = server.folder / "small" / "place"
        place.mkdir()
        if AS_POSTGRES:
            shutil.chown(place, "postgres")
        server.sql(server.primary, f"create tablespace small location '{place}'", "create database cramped tablespace small")
        real.environment["PENSTOCK_STORE"] = server.url(server.primary).rsplit("/", 1)[0] + "/cramped"
        path = real.write()
        real.call("migrate", path)
        admin = free_port()
        process = real.start("--admin", f"127.0.0.1:{admin}", path)
        real.ready()
        wanted = iter(anyones(20000))
        real.api()("CreateReport", request=next(wanted))
        fill()
        refused_for_want_of_space(real, admin, wanted, "No space left on device")
        filler.unlink()
        eventually(lambda: ready(admin)[0] == 200, "ready again", limit=60)
        assert real.api()("CreateReport", request=next(wanted))["case_id"]
        real.stop(process)


def anyones(count):
    """Requests that need no events, long enough to fill a disk."""
    return [{
        "case_id": f"6f2c1f0e-8a0f-4a52-9c7e-{number:012x}", "product_id": f"product-{number}", "requester": "x" * 200,
        "period": {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-10-02T00:00:00Z"}} for number in range(count)]


def test_ninety_thousand_unread_answers_keep_little_memory_and_give_it_back(embedded):
    http2.allow_files(4096)
    process = embedded.start(embedded.write())
    case = anyones(1)[0]
    embedded.api()("CreateReport", request=case)
    connections = []
    for _ in range(352):
        # A connection that is ended before everything has been said is no failure.
        with contextlib.suppress(OSError):
            connections.append(http2.connected(embedded.port, "GetReport", [case["case_id"]] * 256, window=0))
    assert http2.megabytes(process.pid, "VmHWM") < 700
    for connection in connections:
        connection.close()
    eventually(lambda: http2.megabytes(process.pid, "VmRSS") < 250, "the memory is given back", limit=60)
    assert embedded.api()("GetReport", case_id=case["case_id"])["status"]
    embedded.stop(process)


def test_ten_thousand_waiting_calls_cost_little(embedded):
    process = embedded.start(embedded.write())
    case = anyones(1)[0]
    api = embedded.api()
    api("CreateReport", request=case)
    connections = [http2.connected(embedded.port, "WaitReport", [case["case_id"]] * 250, window=65535) for _ in range(40)]
    # They have been let in when another one has, and has waited.
    api("WaitReport", case_id=case["case_id"], timeout="5s")
    used, begin = http2.processor_seconds(process.pid), time.monotonic()
    time.sleep(8)
    share = (http2.processor_seconds(process.pid) - used) / (time.monotonic() - begin)
    assert share < 0.1, share
    for connection in connections:
        connection.close()
    embedded.stop(process)


@pytest.mark.alone
def test_a_generator_without_its_store_is_not_ready_nor_a_worker_without_its_generators(real):
    sample(real)
    port, admins = free_port(), [free_port(), free_port()]
    generator = real.start("--admin", f"127.0.0.1:{admins[0]}", "--listen", f"grpc://127.0.0.1:{port}", command="generate")
    serving = lambda: real.call("health", "--server", f"127.0.0.1:{port}", check=False).returncode == 0
    eventually(lambda: ready(admins[0])[0] == 200 and serving(), "the generator is ready")

    def change(stages, document):
        stages["reports"]["generator"] = f"grpc://127.0.0.1:{port}"
        del stages["reports"]["store"]

    worker = real.start("--admin", f"127.0.0.1:{admins[1]}", "--role", "worker", real.write(change=change), serving=False)
    eventually(lambda: ready(admins[1])[0] == 200, "the worker is ready")
    server = int(pathlib.Path(real.sql("show data_directory")[0][0], "postmaster.pid").read_text().split()[0])
    with paused(*idle(real), server):
        eventually(lambda: ready(admins[0])[0] == 503 and not serving(), "a generator without a store is not ready", limit=30)
        assert "FAIL  postgres://" in ready(admins[0])[1]
    eventually(lambda: ready(admins[0])[0] == 200 and serving(), "the generator is ready again", limit=30)
    real.stop(generator)
    status, text = eventually(lambda: (ready(admins[1])[0] == 503 and ready(admins[1])), "no generator is left", limit=30)
    assert f"FAIL  conversion-reports/reports  " in text and f"127.0.0.1:{port}" in text, text
    real.stop(worker)


@pytest.mark.skipif(os.getuid() != 0, reason="the limit does not hold for one's own other processes: it takes a user who has none")
def test_with_too_few_threads_it_says_so_and_with_just_enough_it_serves(embedded):
    # Below that, libgrpc would wait for ever for threads that it did not get.
    path = embedded.write()
    nobody = 65_534
    # Not below the folder of all tests, which is root's alone.
    temporary = tempfile.TemporaryDirectory(prefix="penstock-nobody-")
    folder = pathlib.Path(temporary.name)
    os.chown(folder, nobody, nobody)
    shutil.copy(path, folder / "pipeline.json")
    (folder / "pipeline.json").chmod(0o644)
    program = folder / "penstock"
    shutil.copy(PENSTOCK, program)
    program.chmod(0o755)

    def start(limit, *arguments):
        log = folder / f"{arguments[0]}-{limit}.log"
        with open(log, "w") as out:
            process = subprocess.Popen(
                [program, *arguments], cwd=folder, env=embedded.environment, stderr=out, stdin=subprocess.DEVNULL,
                user=nobody, group=nobody, extra_groups=[],
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit)))
        process.log = log
        embedded.processes.append(process)
        return process

    for limit in (4, 8, 12, 18):
        for arguments in (["run", "pipeline.json"], ["generate", "--listen", f"grpc://127.0.0.1:{free_port()}"]):
            process = start(limit, *arguments)
            assert process.wait(timeout=LIMIT) == 69, (limit, arguments, process.log.read_text())
            assert "raise the limit of processes (ulimit -u)" in process.log.read_text().splitlines()[-1]
    process = start(64, "run", "pipeline.json")
    eventually(lambda: embedded.call("health", "--server", f"127.0.0.1:{embedded.port}", check=False).returncode == 0, "it serves")
    embedded.stop(process)
    temporary.cleanup()
