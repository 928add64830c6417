"""Outcomes announced by signed calls: who receives them verifies them by the library of Standard Webhooks."""

import base64
import json
import signal
import threading
import time
import urllib.request

import pytest
import standardwebhooks
from certificates import Certificates
from test_dead_letters import case_of, dead_letters, metric, request
from webhook_receiver import Receiver

from stack import LIMIT, eventually, free_port

KEYS = [base64.b64encode(bytes([n]) * 32).decode() for n in (7, 8)]
SECRETS = [f"whsec_{key}" for key in KEYS]
TRACE = ["--arrivals", "uniform 60/h for 1h"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def receiver(certificates):
    receiver = Receiver(SECRETS[0], certificates)
    yield receiver
    receiver.stop()
    assert not receiver.forged


def pipeline(stack, receiver, secrets=SECRETS[:1], stage=None, **properties):
    """The shipped pipeline with a webhook, whose secrets are in files."""
    files = []
    for number, secret in enumerate(secrets):
        path = stack.folder / f"secret-{number}"
        path.write_text(secret + "\n")
        files.append({"$file": str(path)})
    given = {"url": receiver.url, "secrets": files, "allow_hosts": ["127.0.0.1"], "timeout": "5s", **properties}
    if receiver.certificates:
        given.setdefault("ca", receiver.certificates.path("authority.pem"))

    def change(stages, document):
        document["resources"]["hook"] = {key: value for key, value in given.items() if value is not None}
        stages["batch"].update({"min_interval": "0s", "lease": "10s"})
        document["stages"].insert(-1, {"id": "hook", "type": "publish", "to": "hook", **(stage or {})})

    return stack.write(change=change)


def start(stack, path, **more):
    admin = free_port()
    if stack.database:
        stack.call("migrate", path)
    process = stack.start(path, "--admin", f"127.0.0.1:{admin}", **more)
    stack.ready()
    process.admin = admin
    return process


def asked(stack, path, count):
    """Asks for reports, and seals their batch."""
    wanted = [request(f"p-{n}") for n in range(count)]
    api = stack.api()
    for one in wanted:
        api("CreateReport", request=one)
    stack.call("flush", path, "batch")
    return {one["case_id"] for one in wanted}


def announced_elsewhere(stack, process, cases):
    """Waits until the topic has all of them, and answers its messages by their events' ids."""
    if stack.kafka:
        messages = stack.consume("report-ready", settled=lambda found: cases <= set(map(case_of, found)))
        return {json.loads(message.value())["event_id"]: message.value() for message in messages}
    eventually(lambda: metric(process.admin, "penstock_delivered_outcomes_total", stage="ready") >= len(cases), "the topic has them")
    return {}


def received(receiver, cases):
    """Waits until all have been taken, and looks that each repeat was equal."""
    receiver.wait(lambda r: cases <= r.cases(), "every case is announced")
    assert receiver.cases() == cases
    assert all(len(bodies) == 1 for bodies in receiver.bodies().values())
    for event_id, [body] in receiver.bodies().items():
        assert json.loads(body)["event_id"] == event_id


def without_secrets(*texts):
    for text in texts:
        assert not [key for key in KEYS if key in text or key.rstrip("=") in text], text


def page(process, name):
    return urllib.request.urlopen(f"http://127.0.0.1:{process.admin}/{name}", timeout=LIMIT).read().decode()


def stop(stack, process):
    without_secrets(page(process, "metrics"), page(process, "readyz?verbose"))
    stack.stop(process)
    without_secrets(process.log.read_text())


def told(stack, process, words):
    return eventually(lambda: [e for e in stack.logged_all(process) if words in json.dumps(e)], words)


def test_each_outcome_is_a_signed_call_with_the_bytes_of_the_topic(stack, receiver):
    # Calls are answered three at a time: so many are in flight, and no more.
    together = threading.Barrier(3)

    def answer(call):
        together.wait(LIMIT)
        return 200, {}, b"thanks"

    receiver.answer = answer
    receiver.start()
    path = pipeline(stack, receiver, in_flight=3)
    # A proxy that is not there.
    nowhere = {name: "http://127.0.0.1:1" for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "http_proxy")}
    process = start(stack, path, **nowhere)
    cases = asked(stack, path, 12)
    received(receiver, cases)
    assert len(receiver.calls) == 12 and receiver.most_in_work == 3
    # Kept alive.
    assert receiver.connections == 3
    for call, _ in receiver.calls:
        assert call.headers["content-type"] == "application/json" and call.path == "/reports"
        assert call.event["state"] == "REPORT_STATE_SUCCEEDED"
    for event_id, value in announced_elsewhere(stack, process, cases).items():
        assert receiver.bodies()[event_id] == {value}
    eventually(lambda: metric(process.admin, "penstock_webhook_call_seconds_count", answer="2xx") == 12, "all are counted")
    assert metric(process.admin, "penstock_webhook_circuit_open") == 0
    assert metric(process.admin, "penstock_webhook_in_flight_calls") == 0
    stop(stack, process)


def test_a_receiver_that_is_away_fails_and_is_slow_gets_every_event_and_delays_nobody_else(stack, receiver):
    path = pipeline(stack, receiver, timeout="1s")
    process = start(stack, path)
    # Nobody listens. The topic has everything all the same, and the process is ready.
    cases = asked(stack, path, 20)
    announced_elsewhere(stack, process, cases)
    [event] = [e for e in told(stack, process, "a webhook can't be used") if e["level"] == "warning"][:1]
    assert receiver.url.rsplit("/", 1)[0] in json.dumps(event) and "webhook-unavailable" in json.dumps(event)
    assert metric(process.admin, "penstock_webhook_circuit_open") == 1
    assert "degraded" in page(process, "readyz?verbose")

    # He is back, and fails: first each call, then each third event's first one; then he is slower than the limit.
    lock, all_fail, known = threading.Lock(), [True], []

    def failing(call):
        with lock:
            if all_fail:
                return 500, {}, b""
            is_new = call.id not in known
            known.append(call.id)
            return (500 if is_new and len(set(known)) % 3 == 0 else 200), {}, b""

    receiver.answer = failing
    receiver.start()
    receiver.wait(lambda r: len(r.calls) >= 2, "he is called again")
    all_fail.clear()
    received(receiver, cases)
    eventually(lambda: told(stack, process, "works again"), "the end of the outage is told")

    release = threading.Event()
    slow = []

    def slowly(call):
        slow.append(call)
        if len(slow) <= 3:
            release.wait(LIMIT)
        return 200, {}, b""

    receiver.answer = slowly
    more = asked(stack, path, 10)
    announced_elsewhere(stack, process, cases | more)
    eventually(lambda: len(slow) > 10, "those without an answer are called again")
    release.set()
    received(receiver, cases | more)
    assert metric(process.admin, "penstock_webhook_call_seconds_count", answer="none") >= 3
    stop(stack, process)


def test_a_call_that_keeps_failing_costs_no_repeats_of_the_others(embedded, receiver):
    lock, bad, allowed = threading.Lock(), [], threading.Event()

    def answer(call):
        with lock:
            if not bad:
                bad.append(call.id)
        return (500 if call.id == bad[0] and not allowed.is_set() else 200), {}, b""

    receiver.answer = answer
    receiver.start()
    path = pipeline(embedded, receiver)
    process = start(embedded, path)
    cases = asked(embedded, path, 30)
    receiver.wait(lambda r: sum(call.id == bad[0] for call, _ in r.calls if bad) >= 5, "it is called again")
    others = {call_id: len(calls) for call_id, calls in receiver.taken().items()}
    assert len(others) == 29 and set(others.values()) == {1}, others
    # Nor does it keep other batches.
    more = asked(embedded, path, 5)
    receiver.wait(lambda r: more <= r.cases(), "the next batch")
    allowed.set()
    received(receiver, cases | more)
    stop(embedded, process)


def test_what_is_refused_for_good_is_parked_by_its_code_and_replayed(stack, receiver):
    statuses = [410, 301, 404, 200]
    lock, ids = threading.Lock(), []

    def answer(call):
        with lock:
            if call.id not in ids:
                ids.append(call.id)
        status = statuses[ids.index(call.id)]
        return status, ({"location": receiver.url + "/elsewhere"} if status == 301 else {}), b""

    receiver.answer = answer
    receiver.start()
    path = pipeline(stack, receiver)
    process = start(stack, path)
    cases = asked(stack, path, 4)
    parked = eventually(lambda: dead_letters(stack, path), "they are parked")
    assert {letter["event_id"]: letter["code"] for letter in parked} == dict(
        zip(ids, ["webhook-gone", "webhook-redirected", "webhook-refused"]))
    assert {call.path for call, _ in receiver.calls} == {"/reports"}
    assert len(receiver.calls) == 4, "each was called once"
    receiver.answer = lambda call: (200, {}, b"")
    stack.call("dead-letters", "replay", path, "--all")
    received(receiver, cases)
    assert all(len(calls) == 1 for calls in receiver.taken().values())
    stop(stack, process)


def test_a_name_that_leads_to_a_private_address_is_not_called(embedded, receiver):
    receiver.start()
    before = receiver.connections
    inside = receiver.url.replace("127.0.0.1", "localhost")
    path = pipeline(embedded, receiver, url=inside, allow_hosts=["elsewhere.example"])
    result = embedded.call("dry-run", path, *TRACE, check=False)
    said = " ".join((result.stdout + result.stderr).split())
    assert result.returncode != 0 and "an address of this machine" in said and "allow_hosts" in said, said
    without_secrets(said)
    process = start(embedded, path)
    cases = asked(embedded, path, 3)
    [event] = told(embedded, process, "webhook-address")[:1]
    assert "localhost" in json.dumps(event)
    announced_elsewhere(embedded, process, cases)
    assert receiver.connections == before and not receiver.calls
    stop(embedded, process)
    # Allowed by its name it is called.
    process = start(embedded, pipeline(embedded, receiver, url=inside, allow_hosts=["localhost"]))
    received(receiver, cases)
    stop(embedded, process)


def test_while_one_secret_follows_another_the_receiver_may_know_either(embedded, receiver):
    receiver.start()
    process = start(embedded, pipeline(embedded, receiver, SECRETS))
    path = embedded.folder / "conversion-reports.json"
    cases = asked(embedded, path, 2)
    received(receiver, cases)
    for call, _ in receiver.calls:
        assert len(call.headers["webhook-signature"].split()) == 2
        for secret in SECRETS:
            standardwebhooks.Webhook(secret).verify(call.body, dict(call.headers))
    # The receiver knows the new one only, and so do we.
    receiver.secret = SECRETS[1]
    pipeline(embedded, receiver, SECRETS[1:])
    process.send_signal(signal.SIGHUP)
    eventually(lambda: told(embedded, process, "reload: the new files take over"), "the files are read anew")
    embedded.ready()
    more = asked(embedded, path, 2)
    received(receiver, cases | more)
    stop(embedded, process)


def test_what_was_in_flight_when_the_process_was_killed_is_called_again_with_equal_bytes(stack, receiver):
    release = threading.Event()

    def answer(call):
        if len(receiver.calls) >= 3:
            release.wait(LIMIT)
        return 200, {}, b""

    receiver.answer = answer
    receiver.start()
    path = pipeline(stack, receiver, in_flight=2, timeout="1m")
    process = start(stack, path)
    cases = asked(stack, path, 8)
    receiver.wait(lambda r: len(r.calls) >= 3 and r.in_work == 2, "some are answered, some are in flight")
    stack.stop(process, signal.SIGKILL)
    release.set()
    process = start(stack, path)
    received(receiver, cases)
    stop(stack, process)


def test_retry_after_is_waited_for(embedded, receiver):
    times = []

    def answer(call):
        times.append(time.monotonic())
        return (429, {"retry-after": "4"}, b"") if len(times) == 1 else (200, {}, b"")

    receiver.answer = answer
    receiver.start()
    path = pipeline(embedded, receiver, in_flight=1)
    process = start(embedded, path)
    cases = asked(embedded, path, 3)
    received(receiver, cases)
    assert times[1] - times[0] >= 4
    stop(embedded, process)


def test_an_answer_without_an_end_is_not_read_to_it(embedded, receiver):
    receiver.answer = lambda call: (200, {}, b"x" * (1 << 20))
    receiver.start()
    path = pipeline(embedded, receiver)
    process = start(embedded, path)
    cases = asked(embedded, path, 3)
    received(receiver, cases)
    assert len(receiver.calls) == 3
    stop(embedded, process)


def test_a_dry_run_connects_and_calls_nobody(embedded, receiver, certificates):
    def looked(**properties):
        result = embedded.call("dry-run", pipeline(embedded, receiver, **properties), *TRACE, "--timeout", "5s", check=False)
        without_secrets(result.stdout, result.stderr)
        return result.returncode, " ".join((result.stdout + result.stderr).split())

    code, said = looked()
    assert code == 69 and "can't be reached" in said, said
    receiver.start()
    code, said = looked()
    assert code == 0 and "it answers, and is trusted" in said, said
    code, said = looked(ca=certificates.path("stranger.pem"))
    assert code != 0 and "do not agree on encryption" in said and "ca" in said, said
    code, said = looked(ca=None)
    assert code != 0 and "do not agree on encryption" in said, said
    for shown in ("expired", "elsewhere", "forged"):
        receiver.stop()
        receiver.shown = shown
        receiver.start()
        code, said = looked()
        assert code != 0 and "do not agree on encryption" in said, said
    assert not receiver.calls


def test_a_receiver_that_is_not_trusted_is_waited_for(embedded, receiver):
    receiver.shown = "forged"
    receiver.start()
    path = pipeline(embedded, receiver)
    process = start(embedded, path)
    cases = asked(embedded, path, 3)
    told(embedded, process, "webhook-encryption")
    announced_elsewhere(embedded, process, cases)
    assert not receiver.calls
    receiver.stop()
    receiver.shown = "server"
    receiver.start()
    received(receiver, cases)
    stop(embedded, process)


def test_without_encryption_only_where_it_is_allowed(embedded):
    receiver = Receiver(SECRETS[0])
    receiver.start()
    try:
        path = pipeline(embedded, receiver)
        process = start(embedded, path)
        cases = asked(embedded, path, 3)
        received(receiver, cases)
        stop(embedded, process)
    finally:
        receiver.stop()


@pytest.mark.parametrize("properties, place, words", [
    ({"secrets": KEYS[:1]}, "$.resources.hook.secrets[0]", "whsec_ and 24 to 64 bytes"),
    ({"secrets": [SECRETS[0], "whsec_" + KEYS[1][:8]]}, "$.resources.hook.secrets[1]", "is not a secret"),
    ({"secrets": []}, "$.resources.hook.secrets", "has 0 secrets"),
    ({"url": "http://hook.example/"}, "$.resources.hook", "http:// is for hosts"),
    ({"url": "https://keeper:s3cret@hook.example/"}, "$.resources.hook.url", "a user or a password"),
    ({"url": "https://hook.example/#here"}, "$.resources.hook.url", "fragment"),
    ({"url": "https://10.1.2.3/"}, "$.resources.hook", "10.1.2.3 is an address of this machine"),
    ({"timeout": "1h"}, "$.resources.hook.timeout", "is not from 100ms to 1m"),
    ({"retries": 3}, "$.resources.hook.retries", "is not a property of a webhook"),
])
def test_mistakes_are_told_with_their_place(embedded, certificates, properties, place, words):
    path = pipeline(embedded, Receiver(SECRETS[0], certificates), **properties)
    for command in ("validate", "run"):
        result = embedded.call(command, path, check=False)
        said = result.stdout + result.stderr
        assert result.returncode == 78 and place in said and words in said, said
        assert "invalid-address" in said and "s3cret" not in said, said
        without_secrets(said)


def test_files_that_are_not_there(embedded, certificates):
    path = pipeline(embedded, Receiver(SECRETS[0], certificates), ca="/nowhere/at-all.pem")
    result = embedded.call("validate", path)
    assert "warning[unreadable-file]" in result.stdout + result.stderr and "$.resources.hook.ca" in result.stdout + result.stderr
    result = embedded.call("run", path, check=False)
    assert result.returncode == 78 and "$.resources.hook.ca" in result.stdout + result.stderr


def test_a_webhook_takes_outcomes_only(embedded, certificates):
    receiver = Receiver(SECRETS[0], certificates)

    def change(stages, document):
        document["resources"]["hook"] = {"url": receiver.url, "secrets": SECRETS[0], "allow_hosts": "127.0.0.1"}
        document["stages"] = [document["stages"][0], {"id": "hook", "type": "publish", "to": "hook"}]

    result = embedded.call("validate", embedded.write(change=change), check=False)
    assert result.returncode == 78 and "which takes outcomes" in result.stdout + result.stderr, result.stdout + result.stderr
