"""A backend goes and comes back: what each process says of it at each second, by its probes, its gauges and its log.

PENSTOCK_OUTAGE_TABLE names a file that the tables are added to.
"""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid

import grpc
import kafka_server
import postgres_servers
import pytest
import redis_server

from stack import LIMIT, eventually, free_port

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}
# Seconds before it goes, while it is away, and at most after it is started again.
BEFORE, AWAY, AFTER = 4, 20, 60
# So long all is well at the end.
QUIET = 10
# Within so many seconds the probes say what is true: they ask every one or two and wait 3 for an answer, and a failure to accept
# is told of for 10.
TRUTH = 12
# A line of an outage begins with what is away.
NAMES = {"postgres": "PostgreSQL at ", "kafka": "Kafka at ", "redis": "Redis at "}


class Postgres(postgres_servers.PostgresPair):
    def __init__(self, real):
        super().__init__(standby=False)
        self.start()
        real.environment["PENSTOCK_STORE"] = self.url(self.primary)

    def go(self):
        self.servers("kill")

    def come(self):
        self.servers("start")

    def close(self):
        self.__exit__()


class Kafka(kafka_server.KafkaServer):
    def __init__(self, real):
        super().__init__(real.folder)
        self.start()
        real.kafka = self.bootstrap
        real.environment["PENSTOCK_BUS"] = f"kafka://{self.bootstrap}"

    def go(self):
        self.stop()

    def come(self):
        self.start()

    def close(self):
        self.stop()


class Redis(redis_server.RedisServer):
    def __init__(self, real):
        super().__init__(real.folder)
        self.start()
        real.environment["PENSTOCK_CACHE"] = self.url

    def go(self):
        self.stop()

    def come(self):
        self.start()

    def close(self):
        self.stop()


def http(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Watched:
    """A process, looked at once a second."""

    def __init__(self, name, process, port):
        self.name, self.process, self.port = name, process, port
        self.read = len(process.log.read_text().splitlines())
        self.rows = []

    def look(self, second):
        lines = self.process.log.read_text().splitlines()
        new, self.read = [json.loads(line) for line in lines[self.read:]], len(lines)
        read_at = time.monotonic()
        healthy, _ = http(self.port, "/healthz")
        ready, said = http(self.port, "/readyz?verbose")
        gauges = dict(
            line.rsplit(" ", 1) for line in http(self.port, "/metrics")[1].splitlines()
            if line.startswith(("penstock_ready", "penstock_resource_up")))
        self.rows.append({
            "second": second, "read_at": read_at, "healthz": healthy, "readyz": ready,
            "reasons": [line for line in said.splitlines() if line.startswith(("FAIL", "degraded"))],
            "ready": gauges.get("penstock_ready"),
            "down": sorted(name.split('"')[1] for name, value in gauges.items() if "{" in name and value == "0"),
            "lines": new})

    def is_quiet(self):
        return self.said("works again") and all(row["readyz"] == 200 and not row["reasons"] for row in self.rows[-QUIET:])

    def said(self, message):
        return [line for _, line in self.lines() if line["message"] == message]

    def lines(self):
        return [(row["second"], line) for row in self.rows for line in row["lines"]]

    def table(self, what):
        """Seconds that are alike are one row; lines of normal operation are only counted."""
        most = max(len(row["lines"]) for row in self.rows)
        out = [f"\n{what} stopped at second 0, started again at {AWAY}; {self.name}, {most} lines a second at most\n",
               "| seconds | healthz | readyz | ready | resource_up = 0 | lines | log |", "|---|---|---|---|---|---|---|"]
        rows = []
        for row in self.rows:
            state = (row["healthz"], row["readyz"], row["ready"], ", ".join(row["down"]))
            said = "<br>".join(
                f"{line['level']}: {line['message']}" + "".join(
                    f" {key}={line['metadata'][key]}" for key in ("backend", "what", "failures", "outage_seconds", "error")
                    if key in line.get("metadata", {}))
                for line in row["lines"] if line["level"] != "info")
            if rows and rows[-1][2] == state and not said and not rows[-1][4]:
                rows[-1][1] = row["second"]
                rows[-1][3] += len(row["lines"])
            else:
                rows.append([row["second"], row["second"], state, len(row["lines"]), said])
        for first, last, state, lines, said in rows:
            seconds = first if first == last else f"{first} to {last}"
            out.append(f"| {seconds} | {' | '.join(map(str, state))} | {lines} | {said} |")
        return "\n".join(out) + "\n"


def rule(stages, document):
    stages["batch"]["trigger"] = {"any": [{"count": 5}, {"max_age": "3s"}]}
    stages["batch"]["min_interval"] = "0s"


class Traffic:
    """A request a second by the API and one by Kafka, again until they are taken."""

    def __init__(self, real):
        self.real, self.api = real, real.api()
        self.ids, self.stop = [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=[send]) for send in (self.call, self.produce)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(LIMIT)

    def run(self, send):
        while not self.stop.wait(1):
            request = {"case_id": str(uuid.uuid4()), "product_id": "p1", "period": MONTH}
            while not send(request):
                if self.stop.wait(1):
                    return
            self.ids.append(request["case_id"])

    def call(self, request):
        try:
            self.api("CreateReport", within=5, request=request)
            self.api("GetReport", within=5, case_id=request["case_id"])
        except grpc.RpcError:
            return False
        return True

    def produce(self, request):
        try:
            self.real.produce("report-requests", [(request["case_id"], json.dumps(request), [])], **{"message.timeout.ms": 2000, "log_level": 0})
        except AssertionError:
            return False
        return True


@pytest.mark.parametrize("kind", [Postgres, Kafka, Redis], ids=lambda kind: kind.__name__.lower())
def test_a_backend_goes_and_comes_back(real, kind):
    server = kind(real)
    try:
        run(real, server, kind.__name__.lower())
    finally:
        for process in real.processes:
            real.stop(process, 9)
        server.close()


def run(real, server, kind):
    path = real.write(change=rule)
    real.call("migrate", path)
    watched = []
    for role, serving in (("worker", False), ("api", True)):
        port = free_port()
        watched.append(Watched(role, real.start(path, "--role", role, "--admin", str(port), serving=serving), port))
    real.ready()
    with Traffic(real) as traffic:
        eventually(lambda: all(http(w.port, "/readyz")[0] == 200 for w in watched), "both are ready")
        eventually(lambda: len(traffic.ids) > 4, "there is traffic")
        for process in watched:
            process.look(None)
            process.rows.clear()
        moving = None
        begin = time.monotonic()
        for second in range(-BEFORE, AWAY + AFTER):
            if second in (0, AWAY):
                moving = threading.Thread(target=server.go if second == 0 else server.come)
                moving.start()
            # What is seen now happened in the second before.
            time.sleep(max(0, begin + second + BEFORE + 1 - time.monotonic()))
            for process in watched:
                process.look(second)
            if second >= AWAY and not moving.is_alive() and all(process.is_quiet() for process in watched):
                break
        moving.join()
    if os.environ.get("PENSTOCK_OUTAGE_TABLE"):
        with open(os.environ["PENSTOCK_OUTAGE_TABLE"], "a") as file:
            file.writelines(process.table(kind) for process in watched)
    for process in watched:
        holds(process, kind)
    api = real.api()
    left = set(traffic.ids)
    assert len(left) > 10

    def all_answered():
        for case_id in sorted(left):
            try:
                if "report" not in api("GetReport", case_id=case_id):
                    return False
            except grpc.RpcError as error:
                # A message that has not been read yet.
                assert error.code() == grpc.StatusCode.NOT_FOUND, error
                return False
            left.discard(case_id)
        return True

    eventually(all_answered, "every request is answered")


def holds(process, kind):
    told = [(second, line["message"], line.get("metadata")) for second, line in process.lines()]
    # The limit, whatever goes wrong: two lines in any second, of those that the looks are apart, however late they come.
    for first, row in enumerate(process.rows):
        lines = 0
        for later in process.rows[first + 1:]:
            lines += len(later["lines"])
            assert lines <= 2 * (int(later["read_at"] - row["read_at"]) + 1), told
    about = [(second, line) for second, line in process.lines() if "backend" in line.get("metadata", {})]
    # One line when it begins, and one when it ends, that says how long it took.
    assert [line["message"] == "works again" for _, line in about] == [False, True], told
    (began, first), (ended, last) = about
    assert first["metadata"]["backend"].startswith(NAMES[kind]) and first["metadata"]["error"], first
    assert last["metadata"]["backend"] == first["metadata"]["backend"]
    assert 0 <= began <= TRUTH and AWAY <= ended <= AWAY + AFTER, told
    assert AWAY - TRUTH <= float(last["metadata"]["outage_seconds"]) <= AWAY + AFTER, last
    # Nothing else is told of it, by us or by a library; how a group comes together again may be.
    assert not [line for second, line in process.lines()
                if line["level"] in ("warning", "error") and 0 <= second < ended and line is not first
                and "group generation id is not valid" not in line["message"]], told
    # It lives all the time, and says what is true, in words and figures.
    assert {row["healthz"] for row in process.rows} == {200}
    # Callers are served without a bus.
    needed = kind == "postgres" or kind == "kafka" and process.name == "worker"
    for row in process.rows:
        is_well = row["second"] < 0 or row["second"] >= ended + TRUTH
        is_away = TRUTH <= row["second"] < AWAY
        if is_well:
            assert (row["readyz"], row["ready"], row["reasons"], row["down"]) == (200, "1", [], []), row
        if is_away:
            assert row["reasons"] and row["down"], row
            assert (row["readyz"], row["ready"]) == ((503, "0") if needed else (200, "1")), row


def tree(pid):
    """A process and those that it has started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(other for child in found for other in tree(int(child)))]


def metric(port, name, backend):
    for line in http(port, "/metrics")[1].splitlines():
        if line.startswith(f'{name}{{backend="{backend}'):
            return float(line.rsplit(" ", 1)[1])


def test_what_stands_still_is_told_of(real):
    """Nothing fails: connections stay, and nobody answers. Such a server is away like any other, for each process that needs it."""
    postgres, redis = Postgres(real), Redis(real)
    server = int(next(pathlib.Path(postgres.folder).glob("**/postmaster.pid")).read_text().splitlines()[0])
    stopped = []
    try:
        path = real.write(change=rule)
        real.call("migrate", path)
        watched = []
        for role, serving in (("worker", False), ("api", True)):
            port = free_port()
            watched.append((real.start(path, "--role", role, "--admin", str(port), serving=serving), port))
        real.ready()
        eventually(lambda: all(http(port, "/readyz")[0] == 200 for _, port in watched), "both are ready")

        def told(process, backend):
            return [line for line in real.logged_all(process) if line.get("metadata", {}).get("backend", "").startswith(backend)]

        assert all(metric(port, "penstock_outage_seconds_count", NAMES["postgres"]) == 0 for _, port in watched)
        stopped = [*tree(server), redis.process.pid]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for process, port in watched:
            for backend in (NAMES["postgres"], NAMES["redis"]):
                [line] = eventually(lambda: told(process, backend), f"{backend} is missed")
                assert line["message"].startswith("a ") and "can't be used" in line["message"], line
                eventually(lambda: metric(port, "penstock_open_outage_seconds", backend) >= 1, "the metric says so, too")
            eventually(lambda: http(port, "/readyz")[0] == 503, "it is not ready")
            assert "FAIL  postgres" in http(port, "/readyz?verbose")[1]
            assert "degraded  redis" in http(port, "/readyz?verbose")[1]
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        stopped = []
        for process, port in watched:
            for backend in (NAMES["postgres"], NAMES["redis"]):
                begin, end = eventually(lambda: len(told(process, backend)) > 1 and told(process, backend), f"{backend} is back")
                assert end["message"] == "works again" and float(end["metadata"]["outage_seconds"]) >= 1, end
                assert metric(port, "penstock_outage_seconds_count", backend) == 1
                assert metric(port, "penstock_open_outage_seconds", backend) == 0
            eventually(lambda: http(port, "/readyz")[0] == 200, "it is ready again")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        for process in real.processes:
            real.stop(process, 9)
        postgres.close()
        redis.close()


def test_a_reload_while_the_bus_stands_still_holds_up_nobody(real):
    """Deliveries hang, and are handed back at once: sealing and callers go on, whatever the grace is."""
    kafka = Kafka(real)
    [broker] = [int(file.read_text()) for file in pathlib.Path(kafka.folder).glob("**/*.pid")]
    stopped = []
    try:
        path = real.write(change=rule)
        real.call("migrate", path)
        port = free_port()
        process = real.start(path, "--admin", str(port), "--grace", "30s")
        real.ready()
        api = real.api()

        def create():
            return api("CreateReport", request={"case_id": str(uuid.uuid4()), "product_id": "p", "period": MONTH})
        stopped = tree(broker)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        create()
        eventually(lambda: "ready" in json.loads(real.call("batches", path, "--format", "json").stdout)["undelivered"], "a delivery hangs")
        over = threading.Event()
        slowest = []

        def load():
            while not over.wait(0.05):
                start = time.monotonic()
                create()
                slowest.append(time.monotonic() - start)
        caller = threading.Thread(target=load)
        caller.start()
        process.send_signal(signal.SIGHUP)
        eventually(lambda: real.logged(process, "reload: the new files take over"), "the old pipelines have ended")
        taken = len(slowest)
        eventually(lambda: len(slowest) > taken + 50, "callers are served")
        over.set()
        caller.join(LIMIT)
        print(f"slowest call {max(slowest):.1f} s of {len(slowest)}")
        assert max(slowest) < 15, slowest
        assert "CancellationError" not in process.log.read_text()
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        for process in real.processes:
            real.stop(process, 9)
        kafka.close()
