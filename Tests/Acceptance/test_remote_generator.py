"""Generation as a service of its own: `penstock generate`, and a pipeline that names two of them."""

import json
import signal

import grpc
import pytest

from events import check, requests
from stack import LIMIT, Reflected, eventually, free_port
from test_real import batches, sample


class Generators:
    """Two generators on the stack's store, and a pipeline that calls them."""

    def __init__(self, stack):
        self.stack = stack
        self.ports = [free_port(), free_port()]
        self.processes = {port: self.start(port) for port in self.ports}

    def start(self, port):
        return self.stack.start("--listen", f"grpc://127.0.0.1:{port}", command="generate")

    @property
    def name(self):
        return "grpc://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def pipeline(self):
        def change(stages, document):
            stages["batch"]["trigger"] = {"any": [{"manual": True}, {"max_age": "1h"}]}
            stages["reports"]["generator"] = self.name
            del stages["reports"]["store"]
        return self.stack.write(change=change)

    def at_work(self):
        """The ports of the generators that have begun a batch."""
        return [port for port, process in self.processes.items() if self.stack.logged(process, "generating")]


# Cases have names of the run's own: the cache outlives a stack, and would answer for it.


def answered_right(stack, api, wanted, events):
    """Every case has its one outcome, which is announced and right."""
    for request in wanted:
        check(api("WaitReport", case_id=request["case_id"], timeout="60s")["report"], request, events)
    count = str(len(wanted))
    assert stack.sql("select count(*), count(distinct case_no) from penstock.outcomes") == [[count, count]]
    seen = {}
    for announced in stack.consume("report-ready", count=len(wanted), distinct=lambda m: m.key()):
        body = json.loads(announced.value())
        assert seen.setdefault(body["case_id"], announced.value()) == announced.value()
        check(body["report"], next(r for r in wanted if r["case_id"] == body["case_id"]), events)
    assert len(seen) == len(wanted)


def test_a_generator_killed_in_the_middle_of_a_batch_is_replaced_by_another(real):
    events = sample(real)
    generators = Generators(real)
    path = generators.pipeline()
    worker = real.start("--role", "worker", path, serving=False)
    server = real.start("--role", "api", path)
    api = real.api()
    wanted = requests(events, 100, seed=f"21 {real.suffix}")
    for request in wanted:
        api("CreateReport", request=request)
    with real.locked("conversion.events"):
        real.call("flush", path, "batch")
        first = eventually(generators.at_work, "a generator works on the batch")
        assert len(first) == 1
        real.stop(generators.processes[first[0]], signal.SIGKILL)
        second = eventually(lambda: [p for p in generators.at_work() if p != first[0]], "the other one takes over")

    answered_right(real, api, wanted, events)
    one, other = (real.logged(generators.processes[p], "generating") for p in (first[0], second[0]))
    assert [e["metadata"]["batch"] for e in one] == [e["metadata"]["batch"] for e in other], "the same batch, once each"
    assert [b[1] for b in batches(real)] == ["100"]
    # Under the same claim: the worker has not given the batch back.
    assert real.sql("select attempts from penstock.batches") == [["1"]]
    for process in (worker, server, generators.processes[second[0]]):
        real.stop(process)


def test_with_every_generator_gone_a_batch_waits_and_nothing_fails(real):
    events = sample(real)
    generators = Generators(real)
    path = generators.pipeline()
    process = real.start(path)
    api = real.api()
    for generator in generators.processes.values():
        real.stop(generator)
    wanted = requests(events, 30, seed=f"22 {real.suffix}")
    for request in wanted:
        api("CreateReport", request=request)
    real.call("flush", path, "batch")
    failed = eventually(lambda: real.logged(process, "batch failed; it will be tried again"), "the batch is given back")
    assert all(f"127.0.0.1:{port}" in failed[0]["metadata"]["error"] for port in generators.ports), failed[0]
    assert real.sql("select count(*) from penstock.outcomes") == [["0"]]
    back = generators.start(generators.ports[1])
    answered_right(real, api, wanted, events)
    for p in (process, back):
        real.stop(p)


def test_a_stopped_generator_finishes_its_batch(real):
    events = sample(real)
    generators = Generators(real)
    path = generators.pipeline()
    real.start(path)
    api = real.api()
    wanted = requests(events, 10, seed=f"23 {real.suffix}")
    for request in wanted:
        api("CreateReport", request=request)
    with real.locked("conversion.events"):
        real.call("flush", path, "batch")
        (port,) = eventually(generators.at_work, "a generator works on the batch")
        stopping = generators.processes[port]
        stopping.send_signal(signal.SIGTERM)
        health = lambda: real.call("health", "--server", f"127.0.0.1:{port}", check=False).returncode != 0
        eventually(health, "it takes no more batches")
    assert stopping.wait(LIMIT) == 0, stopping.log.read_text()
    assert len(real.logged(stopping, "batch generated")) == 1
    answered_right(real, api, wanted, events)
    assert generators.at_work() == [port], "nobody else had to"


def test_anybody_can_call_a_generator(real):
    events = sample(real)
    generators = Generators(real)
    port = generators.ports[0]
    call = Reflected(f"127.0.0.1:{port}", service="conversionreports.v1.ReportGeneratorService")
    wanted = requests(events, 20, seed=f"24 {real.suffix}")
    broken = {"case_id": "x", "product_id": ""}
    answer = call("GenerateReports", batch_id="by hand", definitions=[*wanted, broken])
    assert [o["case_id"] for o in answer["outcomes"]] == [r["case_id"] for r in wanted] + ["x"]
    for outcome, request in zip(answer["outcomes"], wanted):
        check(outcome["report"], request, events)
        assert outcome["report"]["data_as_of"] == answer["data_as_of"]
    error = answer["outcomes"][-1]["error"]
    assert error["code"] == "INVALID_PARAMETERS"
    for field in ("case_id", "product_id", "period.start_time", "period.end_time"):
        assert field in error["message"], error
    with pytest.raises(grpc.RpcError) as refused:
        call("GenerateReports", definitions=[wanted[0], wanted[0]])
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "definitions[1].case_id" in refused.value.details()
    result = real.call("health", "--server", f"127.0.0.1:{port}",
                       "--service", "conversionreports.v1.ReportGeneratorService")
    assert result.stdout == "serving\n"


def test_without_servers_a_generator_reads_the_embedded_store_beside_a_run(embedded):
    from test_embedded import create, sample as sample_embedded, wait
    events = sample_embedded(embedded)
    port = free_port()
    embedded.start("--listen", f"grpc://127.0.0.1:{port}", command="generate")

    def change(stages, document):
        stages["reports"]["generator"] = f"grpc://127.0.0.1:{port}"

    path = embedded.write(change=change)
    embedded.start(path)
    request = requests(events, 1, seed=f"25 {embedded.suffix}")[0]
    create(embedded, request)
    embedded.call("flush", path, "batch")
    check(wait(embedded, request), request, events)


def test_an_address_that_cannot_be_is_refused_with_a_place(embedded):
    for written, problem in (("grpc://a:1,b", '"b" has no port'), ("grpc", "names no address"),
                             ("conversion://x", "takes no address")):
        def change(stages, document):
            stages["reports"]["generator"] = written

        result = embedded.call("validate", embedded.write(change=change), check=False)
        text = result.stdout + result.stderr
        assert result.returncode == 78, text
        assert "error[invalid-generator] $.stages[3].generator" in text and problem in text, text
