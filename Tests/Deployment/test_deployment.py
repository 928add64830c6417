"""Every part together: as many requests as a day brings, while each part is restarted once."""

import collections
import concurrent.futures
import contextlib
import json
import os
import subprocess
import time

import grpc
import pytest

from events import Events, check, requests
from stack import Reflected, eventually
from topologies import Compose

COUNT = int(os.environ.get("PENSTOCK_REQUESTS", "10000"))
# All parts restart meanwhile, and batches are at least ten seconds apart.
LIMIT = 900


class PatientAPI:
    """Asks again while the API is down, as a client should: the case's id makes it safe."""

    RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED,
                 grpc.StatusCode.CANCELLED}

    def __init__(self, target):
        self.calls = Reflected(target)
        self.retried = 0
        self.given_up = False

    def __call__(self, method, **fields):
        end = time.monotonic() + LIMIT
        while True:
            try:
                return self.calls(method, within=30, **fields)
            except grpc.RpcError as error:
                assert error.code() in self.RETRYABLE and time.monotonic() < end and not self.given_up, error
                self.retried += 1
                time.sleep(0.5)


@pytest.fixture(scope="module")
def events(stack):
    file = stack.scratch / "events.jsonl"
    stack.sample(file, "--days", 2, "--products", 500)
    return Events(file)


def outcomes(stack):
    return int(stack.sql("select count(*) from penstock.outcomes")[0][0])


def test_every_case_has_one_right_report_though_each_part_is_restarted(stack, events):
    wanted = requests(events, COUNT, seed=21)
    api = PatientAPI(stack.target)
    started = time.monotonic()
    send_while_parts_restart(stack, api, wanted)
    accepted = time.monotonic() - started

    def all_answered():
        if int(stack.sql("select count(*) from penstock.cases")[0][0]) == COUNT and outcomes(stack) < COUNT:
            stack.flush()
        return outcomes(stack) >= COUNT

    eventually(all_answered, "an outcome for every case", LIMIT, 5)
    print(f"\n{COUNT} accepted within {accepted:.0f} s, answered within {time.monotonic() - started:.0f} s; "
          f"{api.retried} calls repeated; batches: {collections.Counter(map(tuple, stack.batches()))}")
    assert stack.sql("select count(*), count(distinct case_no) from penstock.outcomes") == [[str(COUNT), str(COUNT)]]
    check_announcements(stack, wanted, events)
    undelivered = "select sink, count(*) from penstock.deliveries where delivered_at is null group by sink"
    eventually(lambda: not stack.sql(undelivered), "every sink has every outcome, the cache too", LIMIT, 1)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda r: api("GetReport", case_id=r["case_id"])["report"], wanted))
    for answer, request in zip(answers, wanted):
        check(answer, request, events)


def send_while_parts_restart(stack, api, wanted):
    """Each part goes down while its share of the requests comes in."""
    size = -(-COUNT // len(stack.PARTS))
    pool = concurrent.futures.ThreadPoolExecutor(18)
    try:
        for number, part in enumerate(stack.PARTS):
            share = wanted[number * size:(number + 1) * size]
            sent = [pool.submit(send_by_kafka, stack, share[::2])]
            sent += [pool.submit(api, "CreateReport", request=request) for request in share[1::2]]
            begun = time.monotonic()
            stack.restart(part)
            back = time.monotonic() - begun
            sent[0].result(LIMIT)
            by_kafka = time.monotonic() - begun
            for one in sent:
                one.result(LIMIT)
            print(f"{part}: back within {back:.1f} s, its share is with Kafka within {by_kafka:.1f} s, "
                  f"and accepted by gRPC within {time.monotonic() - begun:.1f} s", flush=True)
    finally:
        api.given_up = True
        pool.shutdown(wait=False, cancel_futures=True)
    api.given_up = False


def send_by_kafka(stack, portion):
    """Sends again what a broker that was killed may not have taken: the case's id makes it safe."""
    pairs = [(request["case_id"], json.dumps(request)) for request in portion]
    for _ in range(4):
        try:
            return stack.produce("report-requests", pairs)
        except AssertionError as error:
            last = error
            time.sleep(3)
    raise last


def check_announcements(stack, wanted, events):
    """Each case is announced, and however often that was: with the same bytes, which are right."""
    def announced():
        first = {}
        for key, value in stack.consume("report-ready"):
            assert first.setdefault(key, value) == value
        return first if len(first) >= len(wanted) else None

    first = eventually(announced, "an announcement for every case", LIMIT, 2)
    assert set(first) == {request["case_id"] for request in wanted}
    for request in wanted:
        body = json.loads(first[request["case_id"]])
        assert body["case_id"] == request["case_id"]
        check(body["report"], request, events)


@contextlib.contextmanager
def generation_held(stack):
    """Holds generation: a lock on the events, kept by another program."""
    holder = subprocess.Popen(stack.psql(), stdin=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("begin; lock table conversion.events in access exclusive mode;\n")
        holder.stdin.flush()
        held = "select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted"
        eventually(lambda: stack.sql(held), "the lock")
        yield
    finally:
        holder.stdin.close()
        holder.wait(60)


def test_a_generator_killed_in_the_middle_of_a_batch_costs_nothing(stack, events):
    wanted = requests(events, 100, seed=23)
    api = PatientAPI(stack.target)
    before, known = outcomes(stack), len(stack.batches())
    for request in wanted:
        api("CreateReport", request=request)
    with generation_held(stack):
        stack.flush()
        eventually(lambda: len(stack.batches()) > known, "the batch is sealed", LIMIT, 1)
        number = stack.sql("select max(batch_no) from penstock.batches")[0][0]
        begun = lambda: len(stack.logged("generator", "generating", number))
        eventually(lambda: begun() == 1, "the generator works on the batch", LIMIT, 1)
        stack.restart("generator")
        eventually(lambda: begun() == 2, "it is asked again", LIMIT, 1)
    eventually(lambda: outcomes(stack) >= before + 100, "an outcome for every case", LIMIT, 1)
    assert len(stack.logged("generator", "batch generated", number)) == 1
    total = str(before + 100)
    assert stack.sql("select count(*), count(distinct case_no) from penstock.outcomes") == [[total, total]]
    for request in wanted:
        check(api("GetReport", case_id=request["case_id"])["report"], request, events)


def test_the_rule_of_batching_is_in_the_environment(stack, events):
    known = len(stack.batches())
    stack.up(MESSAGE_LIMIT_PER_CONSUMER="50", BATCH_CONSUMER_HOURS_INTERVAL="0.005")
    wanted = requests(events, 70, seed=22)
    before = outcomes(stack)
    send_by_kafka(stack, wanted[:50])
    eventually(lambda: outcomes(stack) >= before + 50, "the first fifty", LIMIT, 1)
    send_by_kafka(stack, wanted[50:])
    eventually(lambda: outcomes(stack) >= before + 70, "the others, without a flush", LIMIT, 1)
    new = stack.batches()[known:]
    assert ["50", "count"] in new and new[-1][1] == "max_age", new
    assert sum(int(batch[0]) for batch in new) == 70


def test_nothing_but_the_api_is_published_and_nobody_is_root(stack):
    if not isinstance(stack, Compose):
        assert "down" not in stack.status()
        return
    for service in stack.order():
        state = stack.inspect(service)
        ports = state["HostConfig"]["PortBindings"] or {}
        published = {port: [f"{b['HostIp']}:{b['HostPort']}" for b in to] for port, to in ports.items() if to}
        assert published == ({"50051/tcp": ["127.0.0.1:50051"]} if service == "api" else {}), (service, published)
        assert state["HostConfig"]["Memory"] > 0, service
        if service not in ("kafka", "postgres"):
            assert state["HostConfig"]["ReadonlyRootfs"], service
    for service in ("api", "worker-1", "generator"):
        assert stack.inspect(service)["Config"]["User"] == "10001"
