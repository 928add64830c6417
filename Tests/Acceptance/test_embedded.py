"""On nothing but a disk."""

import json
import signal
import socket
import subprocess
from datetime import datetime, timedelta, timezone

import grpc
import pytest

from events import Events, check, requests, written
from stack import PENSTOCK, eventually


def sample(stack, days=2):
    stack.call("sample-data", "--days", days, "--views-per-day", 3000, "--payments-per-day", 200,
               "--products", 50, "--emit", "events.jsonl")
    return Events(stack.folder / "events.jsonl")


def create(stack, request, *more):
    period = request["period"]
    arguments = ["report", "create", "--server", f"127.0.0.1:{stack.port}", "--case-id", request["case_id"],
                 "--product", request["product_id"], "--from", period["start_time"], "--to", period["end_time"]]
    if "checkout_id" in request:
        arguments += ["--checkout", request["checkout_id"]]
    return stack.call(*arguments, *more)


def wait(stack, request, limit="60s"):
    result = stack.call("report", "wait", "--server", f"127.0.0.1:{stack.port}", "--for", limit, "--format", "json",
                        request["case_id"])
    answer = json.loads(result.stdout)["report"]
    return {"views_count": answer.get("viewsCount", 0), "payments_count": answer.get("paymentsCount", 0),
            **({"conversion_ratio": answer["conversionRatio"]} if "conversionRatio" in answer else {})}


def test_create_flush_wait_gives_what_another_program_counts(embedded):
    events = sample(embedded)
    files = [embedded.write(), embedded.write("conversion-events")]
    process = embedded.start(*files)
    wanted = requests(events, 8, seed=1)
    for request in wanted:
        create(embedded, request)
    first = embedded.call("report", "get", "--server", f"127.0.0.1:{embedded.port}", wanted[0]["case_id"], check=False)
    assert first.returncode == 75 and "Report is not done! Report status is Pending" in first.stdout
    embedded.call("flush", files[0], "batch")
    for request in wanted:
        check(wait(embedded, request), request, events)
    embedded.stop(process)


def test_killed_between_create_and_generation_nothing_is_lost_and_the_deadline_is_kept(embedded):
    events = sample(embedded)
    files = [embedded.write()]
    process = embedded.start(*files)
    request = requests(events, 1, seed=2)[0]
    # The margin of the shipped rule is five minutes: it fires five seconds from now.
    deadline = datetime.now(timezone.utc) + timedelta(minutes=5, seconds=5)
    create(embedded, request, "--deadline", written(deadline))
    embedded.stop(process, signal.SIGKILL)
    embedded.start(*files)
    check(wait(embedded, request), request, events)
    assert datetime.now(timezone.utc) < deadline


def test_a_second_run_on_the_same_file_names_the_holder(embedded):
    path = embedded.write()
    process = embedded.start(path)
    second = embedded.call("run", path, check=False)
    assert second.returncode != 0 and str(process.pid) in second.stderr


def test_a_port_that_is_taken_ends_the_run_with_a_sentence_and_its_exit_code(embedded):
    path = embedded.write()
    with socket.socket() as other:
        other.bind(("127.0.0.1", embedded.port))
        other.listen()
        address = f"127.0.0.1:{embedded.port}"
        for arguments in (["run", "--role", "api", path], ["run", path], ["generate", "--listen", f"grpc://{address}"],
                          ["run", "--role", "worker", "--admin", address, path]):
            result = embedded.call(*arguments, check=False)
            last = result.stderr.splitlines()[-1]
            assert result.returncode == 69, result.stderr
            assert last.startswith(f"penstock {arguments[0]}: "), last
            assert f"cannot listen on {address}: " in last
            assert "another process uses this port" in last and last.endswith("[address-in-use]"), last
    embedded.stop(embedded.start("--role", "api", path))


def test_requests_from_a_file_and_from_standard_input_to_standard_output(embedded):
    events = sample(embedded)
    wanted = requests(events, 5, seed=3)
    (embedded.folder / "requests.jsonl").write_text("".join(json.dumps(r) + "\n" for r in wanted[:3]) + "nonsense\n")

    def change(stages, document):
        document["resources"] = {
            "store": document["resources"]["store"], "in": {"url": "file:requests.jsonl"}, "std": {"url": "stdio:"}}
        stages["requests"]["from"] = [{"resource": "in"}, {"resource": "std"}]
        stages["batch"]["trigger"] = {"any": [{"count": 5}, {"max_age": "3s"}]}
        stages["ready"].update({"to": "std"})
        del stages["ready"]["topic"]
        document["stages"] = [s for s in document["stages"] if s["id"] != "answers"]

    path = embedded.write(change=change)
    result = subprocess.run(
        [PENSTOCK, "run", path], cwd=embedded.folder, env=embedded.environment, capture_output=True, text=True,
        timeout=60, input="".join(json.dumps(r) + "\n" for r in wanted[3:]))
    assert result.returncode == 0, result.stderr
    ready = {event["case_id"]: event for event in map(json.loads, result.stdout.splitlines())}
    assert set(ready) == {r["case_id"] for r in wanted}
    for request in wanted:
        check(ready[request["case_id"]]["report"], request, events)
    letter = json.loads((embedded.folder / "requests.jsonl.dead-letters").read_text())
    assert letter["payload"] == "nonsense" and letter["stage"] == "requests" and letter["code"] == "malformed", letter


def test_the_same_case_with_other_parameters_already_exists(embedded):
    events = sample(embedded)
    embedded.start(embedded.write())
    api = embedded.api()
    request = requests(events, 1, seed=4)[0]
    api("CreateReport", request=request)
    api("CreateReport", request=request)
    with pytest.raises(grpc.RpcError) as refused:
        api("CreateReport", request={**request, "product_id": "another"})
    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS


def test_malformed_calls_name_every_field(embedded):
    embedded.start(embedded.write())
    api = embedded.api()
    with pytest.raises(grpc.RpcError) as refused:
        api("CreateReport", request={"case_id": "x", "product_id": ""})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    for field in ("case_id", "product_id", "period.start_time", "period.end_time"):
        assert field in refused.value.details()
    with pytest.raises(grpc.RpcError) as unknown:
        api("GetReport", case_id="6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11")
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_second_signal_ends_at_once(embedded):
    process = embedded.start(embedded.write())
    assert embedded.stop(process) == 0


def test_a_chain_that_cannot_work_is_refused_with_a_place(embedded):
    def two_barriers(stages, document):
        document["stages"].insert(3, {**stages["batch"], "id": "again"})

    def no_barrier(stages, document):
        document["stages"] = [s for s in document["stages"] if s["id"] != "batch"]

    def misspelt(stages, document):
        stages["batch"]["trigger"] = {"any": [{"cuont": 3}]}

    for change, code in ((two_barriers, "error["), (no_barrier, "error[no-barrier]"), (misspelt, "error[unknown-key]")):
        path = embedded.write(change=change)
        for command in ("validate", "run"):
            result = embedded.call(command, path, check=False)
            assert result.returncode == 78, result.stdout + result.stderr
            text = result.stdout + result.stderr
            assert code in text and "conversion-reports.json:" in text, text
