"""Reloads of every kind while requests come in: nothing is lost, doubled, early or late, and each answer is true.

PENSTOCK_TEST_RELOADS is their number (10 here, 200 in the long form), PENSTOCK_TEST_SEED repeats a run.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import threading
import time
import urllib.parse
import uuid
from datetime import datetime, timedelta

import grpc

from stack import LIMIT, eventually
from tcp_proxy import Proxy
from test_dead_letters import configure_topic, create_topic, metric
from test_reload import MONTH, accumulate, edit, free_port, view

RELOADS = int(os.environ.get("PENSTOCK_TEST_RELOADS", "10"))
GRACE = 3
# What `penstock run --help` states: 5 s of questions, 6 s until the old pipelines are gone, 20 s until the new files are judged.
BOUND = 31
ANSWERS = {
    "done": ("reload: goes on with the new files", "reload: goes on with the new files, which are not ready yet"),
    "refused": ("reload refused: the pipelines go on as before",),
    "undone": ("reload undone: the new files can't run here, the old ones go on",),
}


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Load:
    """Requests over gRPC and over the bus until it is stopped; some are sent twice."""

    def __init__(self, stack, seed):
        self.stack, self.random = stack, random.Random(seed)
        self.sent, self.errors, self.slowest = set(), collections.Counter(), 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._calls, args=(stack.api(),)) for _ in range(2)]
        if stack.kafka:
            self.threads.append(threading.Thread(target=self._records))

    def request(self):
        return {"case_id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)), "product_id": "p", "period": MONTH}

    def _calls(self, api):
        while not self.over.wait(self.random.uniform(0.1, 0.9)):
            request, begin = self.request(), time.monotonic()
            for _ in range(2 if self.random.random() < 0.1 else 1):
                while True:
                    try:
                        api("CreateReport", request=request)
                        break
                    except grpc.RpcError as error:
                        self.errors[error.code().name] += 1
                        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED,
                                                grpc.StatusCode.DEADLINE_EXCEEDED), error
                        assert time.monotonic() < begin + LIMIT, error
                        time.sleep(0.05)
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.sent.add(request["case_id"])

    def _records(self):
        while not self.over.wait(self.random.uniform(0.1, 0.9)):
            requests = [self.request() for _ in range(self.random.randint(1, 4))]
            messages = [(r["case_id"].encode(), json.dumps(r).encode(), []) for r in requests + requests[:1]]
            with contextlib.suppress(AssertionError):
                # The broker may be away; librdkafka goes on with what it has.
                self.stack.produce(self.random.choice(["report-requests", "more-requests"]), messages)
            self.sent |= {r["case_id"] for r in requests}

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(LIMIT)


class Reloads:
    """The running program and its file."""

    def __init__(self, stack, seed):
        self.stack, self.random = stack, random.Random(seed)
        self.path = stack.write(change=lambda stages, document: self.first(stages, document))
        stack.call("migrate", self.path)
        self.admin = free_port()
        self.process = stack.start("--admin", str(self.admin), "--grace", f"{GRACE}s", self.path)
        stack.ready()
        self.rules = {}
        self.switches = []
        self.took = collections.defaultdict(list)
        self.results = collections.Counter()

    def first(self, stages, document):
        accumulate(document)["min_interval"] = "0s"
        self.rule(document)
        if self.stack.kafka:
            self.source(document)
        self.sink(document)

    # What is edited

    def rule(self, document):
        count = self.random.randint(4, 12)
        accumulate(document)["trigger"] = {"any": [{"count": count}, {"max_age": f"{self.random.randint(1, 4)}s"}]}
        accumulate(document)["max_batch"] = count

    def sink(self, document):
        """Adds the copy, or takes it away."""
        stages = document["stages"]
        copies = [stage for stage in stages if stage["id"] == "copy"]
        if copies:
            stages.remove(copies[0])
        else:
            stages.append({"id": "copy", "type": "publish", "to": "bus", "topic": self.stack.topic("report-copy"), "key": "case_id"})

    def dedupe(self, document):
        [stage] = [stage for stage in document["stages"] if stage["type"] == "dedupe"]
        stage["window"] = f"{self.random.randint(1, 30)}m"

    def source(self, document):
        sources = document["stages"][0]["from"]
        more = {"resource": "bus", "topic": self.stack.topic("more-requests")}
        sources.remove(more) if more in sources else sources.insert(1, more)

    def broken(self, text):
        """The file with a mistake in it."""
        kind = self.random.randint(0, 3)
        if kind == 0:
            return text[:self.random.randrange(len(text) - 1)]
        document = json.loads(text)
        if kind == 1:
            document["stages"][1]["windw"] = "10m"
        elif kind == 2:
            document["stages"][-1]["in" if document["stages"][-1]["type"] == "cache" else "to"] = "nowhere"
        else:
            accumulate(document)["trigger"] = {"any": [{"count": -1}]}
        return json.dumps(document)

    # Reloading

    def counts(self):
        return {result: metric(self.admin, "penstock_reloads_total", result=result) for result in ANSWERS}

    def told(self):
        return {result: sum(len(self.stack.logged(self.process, line)) for line in lines) for result, lines in ANSWERS.items()}

    def ask(self, kind):
        """One reload; its answer, which the log and the metric agree on."""
        before, begin = self.counts(), time.time()
        assert before == self.told()
        self.process.send_signal(signal.SIGHUP)

        def answered():
            assert self.process.poll() is None, self.process.log.read_text()[-3000:]
            return sum(self.counts().values()) > sum(before.values())
        eventually(answered, f"the reload ({kind}) has an answer", limit=BOUND + 10, every=0.05)
        took = time.time() - begin
        eventually(lambda: self.told() == self.counts(), "log and metric agree", limit=5)
        [result] = [result for result, count in self.counts().items() if count != before[result]]
        assert sum(self.counts().values()) == sum(before.values()) + 1
        self.switches.append((begin, time.time()))
        self.took[kind].append(took)
        self.results[kind, result] += 1
        assert took <= BOUND, (kind, took)
        return result

    def in_force(self):
        """The rule that the ledger has must be that of the file that runs."""
        [count, age] = json.loads(pathlib.Path(self.path).read_text())["stages"][2]["trigger"]["any"]
        rule = (count["count"], float(age["max_age"][:-1]))
        now = view(self.stack, self.path)
        assert now["open"]["full_at"] == rule[0], (now, rule)
        self.rules[now["rule_revision"]] = rule
        return now

    def edited(self, kind="edit"):
        right = pathlib.Path(self.path).read_text()
        edits = [self.rule, self.dedupe, self.sink] + ([self.source] if self.stack.kafka else [])
        for change in self.random.sample(edits, self.random.randint(1, 2)):
            edit(self.path, change)
        result = self.ask(kind)
        if result != "done":
            # A sink that something waits for can't go.
            told = self.stack.logged(self.process, ANSWERS[result][0])[-1]["metadata"]["error"]
            assert "[state-unowned]" in told or kind == "store away" and "does not answer" in told, told
            pathlib.Path(self.path).write_text(right)
        return result

    def refused(self):
        right = pathlib.Path(self.path).read_text()
        pathlib.Path(self.path).write_text(self.broken(right))
        assert self.ask("broken file") == "refused"
        pathlib.Path(self.path).write_text(right)

    def resources(self):
        """Threads and descriptors of the process, and its memory in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return (int(re.search(r"Threads:\s*(\d+)", status)[1]), len(os.listdir(f"/proc/{self.process.pid}/fd")),
                int(re.search(r"VmRSS:\s*(\d+)", status)[1]) // 1024)


def batches(stack, path):
    return json.loads(stack.call("batches", path, "--format", "json", "--limit", 10000).stdout)["batches"]


def assert_sealed_on_time(reloads, sealed):
    """Each batch under the rule that was in force, not before its time, and not a second after it, switches aside."""
    reasons, latest = collections.Counter(), 0.0
    for batch in sealed:
        count, age = reloads.rules[batch["rule_revision"]]
        oldest, at = instant(batch["oldest_accepted_at"]), instant(batch["sealed_at"])
        reasons[batch["closed_by"]] += 1
        if batch["closed_by"] == "count":
            assert batch["cases"] == count, batch
            continue
        assert batch["closed_by"] == "max_age" and batch["cases"] <= count, batch
        due = oldest + timedelta(seconds=age)
        assert at >= due, batch
        late = at.timestamp() - due.timestamp()
        for begin, end in reloads.switches:
            if due.timestamp() <= end and at.timestamp() >= begin:
                late = min(late, max(0, at.timestamp() - end))
        latest = max(latest, late)
        assert late <= 1, (late, batch)
    return reasons, latest


def outcomes(stack):
    """(cases, cases with an outcome, outcomes)"""
    if stack.kafka:
        statement = "select (select count(*) from penstock.cases), count(distinct case_no), count(*) from penstock.outcomes"
        return tuple(int(number) for number in stack.sql(statement)[0])
    with contextlib.closing(sqlite3.connect(f"file:{stack.folder}/data/penstock.sqlite?mode=ro", uri=True)) as file:
        return file.execute(
            "select (select count(*) from ledger_cases), count(distinct case_no), count(*) from ledger_outcomes").fetchone()


def announced(stack, wanted):
    """Every case, each time with the same event."""
    by_case = collections.defaultdict(set)

    def settled(messages):
        return wanted <= {json.loads(message.value())["case_id"] for message in messages}
    for message in stack.consume("report-ready", settled=settled):
        by_case[json.loads(message.value())["case_id"]].add(message.value())
    assert set(by_case) == wanted and all(len(events) == 1 for events in by_case.values())


def storm(stack, failing):
    seed = int(os.environ.get("PENSTOCK_TEST_SEED") or random.randrange(1 << 32))
    print(f"\nPENSTOCK_TEST_SEED={seed} PENSTOCK_TEST_RELOADS={RELOADS}")
    reloads = Reloads(stack, seed)
    reloads.in_force()
    tenth = RELOADS // 10
    kinds = ["broken"] * tenth + [failing[number % len(failing)] for number in range(tenth if failing else 0)]
    kinds += ["edit"] * (RELOADS - len(kinds))
    reloads.random.shuffle(kinds)
    early = None
    with Load(stack, seed) as load:
        for number, kind in enumerate(kinds):
            before = view(stack, reloads.path)["open"] if kind == "broken" else None
            if kind == "broken":
                reloads.refused()
            elif kind == "edit":
                reloads.edited()
            else:
                with kind(stack):
                    reloads.edited(kind.name)
            eventually(lambda: metric(reloads.admin, "penstock_ready") == 1, "it is ready")
            now = reloads.in_force()["open"]
            if before and before["oldest_accepted_at"] and now["cases"] >= before["cases"]:
                assert now["oldest_accepted_at"] >= before["oldest_accepted_at"]
            if number == RELOADS // 4:
                early = reloads.resources()
            # The long form leaves a consumer group the time to settle; the short one does not.
            time.sleep(reloads.random.uniform(*((1, 3) if RELOADS >= 50 else (0, 0.5))))
        late = reloads.resources()
    if stack.kafka and not any("more-requests" in str(source) for source in
                               json.loads(pathlib.Path(reloads.path).read_text())["stages"][0]["from"]):
        edit(reloads.path, reloads.source)
        assert reloads.ask("edit") == "done"
        reloads.in_force()
    wanted = set(load.sent)
    found = []

    def answered():
        found[:] = outcomes(stack)
        return set(found) == {len(wanted)}
    try:
        eventually(answered, "every case has one outcome")
    finally:
        print(f"{len(wanted)} cases were sent; cases, cases with an outcome, and outcomes: {found}")
    api = stack.api()
    for case_id in wanted:
        answer = api("GetReport", case_id=case_id)
        assert "report" in answer or answer["status"]["state"].endswith("FAILED"), answer
    stack.call("dead-letters", "replay", reloads.path, "--all")
    eventually(lambda: {b["state"] for b in batches(stack, reloads.path)} == {"done"}, "everything is delivered")
    reasons, latest = assert_sealed_on_time(reloads, batches(stack, reloads.path))
    if stack.kafka:
        announced(stack, wanted)
    print(f"{len(wanted)} cases; batches: {dict(reasons)}, the latest {latest:.3f} s after its time; "
          f"callers told {dict(load.errors)}, the slowest call {load.slowest:.2f} s")
    # Only a store that is away turns a caller away.
    assert "CANCELLED" not in load.errors and (stack.kafka or not load.errors), load.errors
    for kind, took in reloads.took.items():
        results = {result: count for (of, result), count in reloads.results.items() if of == kind}
        print(f"  {kind}: {results}, {min(took):.2f} to {max(took):.2f} s, {sum(took) / len(took):.2f} s on average")
    print(f"  threads, descriptors, MiB: {early} after a quarter, {late} at the end")
    # librdkafka before 2.3.0 can't let a consumer go that has had no assignment yet, as after a reload that comes seconds after
    # another: each keeps three threads to the process's end.
    kept = 4 * RELOADS if stack.kafka else 0
    assert late[0] <= early[0] + 8 + kept and late[1] <= early[1] + 16 + 2 * kept, (early, late)
    stack.stop(reloads.process)


class Failing:
    """A way in which something fails while the files are read anew."""

    def __init__(self, name, away):
        self.name, self.away = name, away

    def __call__(self, stack):
        return self.away(stack)


@contextlib.contextmanager
def refusing_topic(stack):
    configure_topic(stack, stack.topic("report-copy"), "max.message.bytes", 100)
    try:
        yield
    finally:
        configure_topic(stack, stack.topic("report-copy"), "max.message.bytes", 1000000)


def proxied(stack, variable):
    """Puts a proxy before a server that the environment names."""
    url = urllib.parse.urlsplit(stack.environment[variable])
    proxy = Proxy(url.hostname, url.port)
    user = f"{url.username}@" if url.username else ""
    stack.environment[variable] = url._replace(netloc=f"{user}127.0.0.1:{proxy.port}").geturl()
    return proxy


def test_on_a_disk(embedded):
    storm(embedded, [])


def test_on_servers(real):
    for topic in ("report-copy", "more-requests"):
        create_topic(real, real.topic(topic))
    cache = proxied(real, "PENSTOCK_CACHE")
    store = proxied(real, "PENSTOCK_STORE")
    failing = [Failing("topic refuses", refusing_topic), Failing("Redis away", lambda _: cache.away())]
    if RELOADS >= 100:
        # Up to 27 s after the grace each.
        failing += [Failing("store away", lambda _: store.away())]
    storm(real, failing)
