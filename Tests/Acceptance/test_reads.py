"""What readers are told: the newest outcome everywhere, whatever lies in the cache and however often it is asked."""

import concurrent.futures
import json
import subprocess
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone

import grpc
import pytest
import redis_server

from events import check, requests, written
from stack import Reflected, eventually, free_port
from test_real import message, sample

SERVICE = "conversionreports.v1.ReportGeneratorService"


class FailingHandler:
    """A generator that answers each case by an error the first time, and as a real one from then on."""

    def __init__(self, stack):
        port = free_port()
        stack.start("--listen", f"grpc://127.0.0.1:{port}", command="generate")
        request, self.forward = Reflected(f"127.0.0.1:{port}", service=SERVICE).methods["GenerateReports"]
        self.seen = set()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        handler = grpc.unary_unary_rpc_method_handler(
            self.generate, request_deserializer=request.FromString,
            response_serializer=lambda answer: answer.SerializeToString())
        self.server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, {"GenerateReports": handler})])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def generate(self, batch, context):
        answer = self.forward(batch)
        for outcome in answer.outcomes:
            if outcome.case_id not in self.seen:
                self.seen.add(outcome.case_id)
                outcome.ClearField("report")
                outcome.error.code = "NOT_YET"
                outcome.error.message = "ask again"
        return answer


class Poller:
    """Asks for a case over and over by several processes, and keeps each one's answers in their order."""

    def __init__(self, apis, case_id):
        self.answers = [[] for _ in apis]
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(api, kept, case_id))
                        for api, kept in zip(apis, self.answers)]
        for thread in self.threads:
            thread.start()

    def run(self, api, kept, case_id):
        while not self.stop.is_set():
            answer = api("GetReport", case_id=case_id)
            state = "REPORT_STATE_SUCCEEDED" if "report" in answer else answer["status"]["state"]
            kept.append((state, answer.get("revision")))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return self.answers


def serve(real, path, count, *arguments):
    """So many API processes."""
    apis = []
    for _ in range(count):
        port = free_port()
        process = real.start(path, "--role", "api", *arguments, PENSTOCK_LISTEN=f"grpc://127.0.0.1:{port}")
        api = Reflected(f"127.0.0.1:{port}")
        api.process = process
        apis.append(api)
    return apis


def manual(generator=None, shared=False):
    def change(stages, document):
        stages["batch"]["trigger"] = {"any": [{"manual": True}, {"max_age": "1h"}]}
        stages["batch"]["min_interval"] = "0s"
        if generator:
            stages["reports"]["generator"] = f"grpc://127.0.0.1:{generator.port}"
            del stages["reports"]["store"]
        if shared:
            stages["unique"]["in"] = "cache"
    return change


@pytest.mark.parametrize("shared", [False, True], ids=["own-memory", "shared-memory"])
@pytest.mark.parametrize("way", ["grpc", "kafka"])
def test_a_failed_case_asked_for_again_shows_its_success_everywhere(real, way, shared):
    events = sample(real)
    generator = FailingHandler(real)
    path = real.write(change=manual(generator, shared))
    real.start(path, "--role", "worker", serving=False)
    one, other = serve(real, path, 2)
    request = requests(events, 1, seed=f"31 {way} {shared} {real.suffix}")[0]
    case_id = request["case_id"]

    def state(api):
        answer = api("GetReport", case_id=case_id)
        return "REPORT_STATE_SUCCEEDED" if "report" in answer else answer["status"]["state"]

    def known():
        return real.sql(f"select max(attempt) from penstock.cases where key = '{case_id}'")

    def ask(api, attempt):
        if way == "grpc":
            created = api("CreateReport", request=request)
            assert created["status"]["state"] == "REPORT_STATE_PENDING", created
            assert created["revision"] == attempt, created
        else:
            real.produce("report-requests", [message(request)])
            eventually(lambda: known() == [[str(attempt)]], "the request is taken in")

    ask(one, 1)
    real.call("flush", path, "batch")
    for api in (one, other):
        eventually(lambda: state(api) == "REPORT_STATE_FAILED", "it fails")
        assert api("GetReport", case_id=case_id)["revision"] == 1
    # A repeat by the other process, inside the window of every dedupe: each has seen the case by now.
    ask(other, 2)
    polled = Poller([one, other], case_id)
    eventually(lambda: all(len(kept) > 50 for kept in polled.answers), "everybody asks")
    real.call("flush", path, "batch")
    for kept in polled.answers:
        eventually(lambda: kept[-1][0] == "REPORT_STATE_SUCCEEDED", "everybody is told of the success")
    for kept in polled.end():
        assert {revision for _, revision in kept} == {2}
        assert "REPORT_STATE_FAILED" not in {state for state, _ in kept}
        first = [state for state, _ in kept].index("REPORT_STATE_SUCCEEDED")
        assert {state for state, _ in kept[first:]} == {"REPORT_STATE_SUCCEEDED"}
    check(one("GetReport", case_id=case_id)["report"], request, events)
    ready = [json.loads(m.value()) for m in real.consume("report-ready", count=2)]
    assert sorted((r["revision"], r["state"]) for r in ready) == [
        (1, "REPORT_STATE_FAILED"), (2, "REPORT_STATE_SUCCEEDED")]
    assert len({r["event_id"] for r in ready}) == 2


def metric(port, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + "{"))


def test_what_is_no_answer_of_the_case_is_not_answered_and_does_not_stay(real):
    events = sample(real)
    path = real.write(change=manual())
    real.start(path, "--role", "worker", serving=False)
    (writer,) = serve(real, path, 1)
    wanted = requests(events, 2, seed=f"32 {real.suffix}")
    for request in wanted:
        writer("CreateReport", request=request)
    real.call("flush", path, "batch")
    url = real.environment["PENSTOCK_CACHE"]

    def redis(*arguments, value=None):
        return subprocess.run(["redis-cli", "-u", url, *arguments], input=value, capture_output=True, check=True).stdout

    key = "report:" + wanted[0]["case_id"]
    eventually(lambda: redis("exists", key, "report:" + wanted[1]["case_id"]).strip() == b"2", "both are cached")
    right = redis("get", key)[:-1]
    other = redis("get", "report:" + wanted[1]["case_id"])[:-1]
    foreign = [b"", b"hello", b"\xff" * 100, right[:50], other, json.dumps({"case_id": wanted[0]["case_id"]}).encode()]
    for value in foreign:
        admin = free_port()
        redis("-x", "set", key, value=value)
        (api,) = serve(real, path, 1, "--admin", f"127.0.0.1:{admin}")
        for _ in range(3):
            check(api("GetReport", case_id=wanted[0]["case_id"])["report"], wanted[0], events)
        assert metric(admin, "penstock_foreign_cache_entries_total") == 1
        said = [e for e in real.logged(api.process, "the cache holds something else under a case's key: it is not answered")]
        assert len(said) == 1 and key in said[0]["metadata"]["error"]
        # What the ledger answered is back, for everybody.
        assert redis("get", key)[:-1] == right
        real.stop(api.process)
    redis("del", key)
    redis("lpush", key, "a list")
    (api,) = serve(real, path, 1)
    check(api("GetReport", case_id=wanted[0]["case_id"])["report"], wanted[0], events)


@pytest.mark.parametrize("again", ["the same request", "another request"])
def test_an_id_that_is_used_again_after_its_case_was_deleted_is_a_case_of_its_own(real, again):
    events = sample(real)
    kept = 3

    def change(stages, document):
        manual(shared=True)(stages, document)
        stages["batch"]["retention"] = f"{kept}s"

    path = real.write(change=change)
    process = real.start(path)
    first, second = requests(events, 2, seed=f"37 {real.suffix}")
    second["case_id"] = case_id = first["case_id"]
    if again == "the same request":
        second = first
    api = real.api()
    api("CreateReport", request=first)
    real.call("flush", path, "batch")
    check(eventually(lambda: api("GetReport", case_id=case_id).get("report"), "the first is answered"), first, events)
    real.stop(process)
    time.sleep(kept)
    # As it starts, it deletes what is over.
    process = real.start(path)
    eventually(lambda: real.sql("select count(*) from penstock.cases") == [["0"]], "the case is deleted")
    api = real.api()
    # It is inside the window of a dedupe that remembers the first.
    created = api("CreateReport", request=second)
    assert created["status"]["state"] == "REPORT_STATE_PENDING", created
    assert "report" not in api("GetReport", case_id=case_id)
    real.call("flush", path, "batch")
    check(eventually(lambda: api("GetReport", case_id=case_id).get("report"), "the second is answered"), second, events)


def test_a_deadline_that_passed_before_it_was_sent_is_refused_and_one_that_passed_meanwhile_is_late(real):
    events = sample(real)
    path = real.write()
    admin = free_port()
    process = real.start(path)
    api = real.api()
    now = datetime.now(timezone.utc)
    past, called, late = requests(events, 3, seed=f"33 {real.suffix}")
    past["deadline"] = called["deadline"] = written(now - timedelta(seconds=2))
    with pytest.raises(grpc.RpcError) as refused:
        api("CreateReport", request=called)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith("deadline had passed when the request was sent")
    real.produce("report-requests", [message(past)])
    (letter,) = real.consume("report-requests.dead-letters", count=1)
    assert dict(letter.headers())["penstock-code"] == b"deadline-passed"
    assert letter.value() == message(past)[1]
    assert real.sql("select count(*) from penstock.cases") == [["0"]]
    # A repeat with an earlier deadline: that of the first stands, and the reply says so.
    late["deadline"] = first = written(datetime.now(timezone.utc) + timedelta(hours=9))
    api("CreateReport", request=late)
    late["deadline"] = written(datetime.now(timezone.utc) + timedelta(hours=1))
    told = api("CreateReport", request=late)["status"]["deadline"]
    assert told[:23] == first[:23], (told, first)
    real.stop(process)

    # It waits in its topic while nobody reads.
    (waiting,) = requests(events, 1, seed=f"34 {real.suffix}")
    waiting["deadline"] = written(datetime.now(timezone.utc) + timedelta(seconds=2))
    real.produce("report-requests", [message(waiting)])
    time.sleep(3)
    real.start(path, "--admin", f"127.0.0.1:{admin}")
    api = real.api()

    def report():
        try:
            return api("GetReport", case_id=waiting["case_id"]).get("report")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
            return None

    check(eventually(report, "the late case is answered"), waiting, events)
    assert metric(admin, "penstock_late_cases_total") == 1


def test_a_cache_that_is_away_is_told_of_once_and_when_it_is_back(real):
    events = sample(real)
    cache = redis_server.RedisServer(real.folder)
    cache.start()
    real.environment["PENSTOCK_CACHE"] = cache.url
    path = real.write(change=manual())
    worker = real.start(path, "--role", "worker", serving=False)
    (api,) = serve(real, path, 1)
    wanted = requests(events, 12, seed=f"35 {real.suffix}")
    cache.stop()
    for request in wanted:
        api("CreateReport", request=request)
        real.call("flush", path, "batch")
        eventually(lambda: "report" in api("GetReport", case_id=request["case_id"]), "it is answered without")
    time.sleep(6)

    def about(process):
        events = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
        return [e for e in events if "cache-unavailable" in str(e) or e["message"].endswith("works again")]

    assert len(about(worker)) == 1, about(worker)
    assert len(about(api.process)) == 1, about(api.process)
    assert "answered by the store" in about(api.process)[0]["message"]
    cache.start()
    eventually(lambda: about(worker)[-1]["message"].endswith("works again"), "the worker says so")

    def back():
        (request,) = requests(events, 1, seed=f"36 {time.monotonic()}")
        api("CreateReport", request=request)
        api("GetReport", case_id=request["case_id"])
        return about(api.process)[-1]["message"] == "works again"

    eventually(back, "the API says so")
    assert len(about(worker)) == 2 and len(about(api.process)) == 2
    cache.stop()
