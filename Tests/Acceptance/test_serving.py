"""What clients are told while a backend is away, and while the process is short of descriptors."""

import resource
import socket
import subprocess
import time
import urllib.error
import urllib.request

import grpc
import pytest

from events import requests
from stack import LIMIT, PENSTOCK, Reflected, eventually, free_port
from test_real import sample
from test_stop import idle, listening, locked, paused


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
    with locked(real, "penstock.cases"):
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
    log = embedded.folder / "run.log"
    with open(log, "w") as out:
        process = subprocess.Popen(
            [PENSTOCK, "run", embedded.write()], cwd=embedded.folder, env=embedded.environment, stderr=out,
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
        assert answer(), "nobody new is served while they are there"
        for connection in silent:
            connection.close()
        assert answer(), "nobody new is served when they have gone"
        check(b"", timeout=20)
