"""A request's trace context goes with its case: to its event, its log lines, and whoever looks at it."""

import json
import sqlite3
import uuid

import pytest

from stack import eventually

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
# What is not valid, from the specification: a version, upper case, zeros, another length, no hexadecimal digits, too long.
INVALID = [f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01",
           f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-00f067aa0ba902b7-01-more", f"00-{TRACE}-00f067aa0ba902b7", "", "nonsense",
           f"01-{TRACE}-00f067aa0ba902b7-01-{'x' * 5000}"]


def rule(stages, document):
    stages["batch"]["trigger"] = {"any": [{"manual": True}, {"max_age": "1s"}]}
    stages["batch"]["min_interval"] = "0s"


def created(stack, traceparent):
    """A case requested by a call with that metadata."""
    case_id = str(uuid.uuid4())
    api = stack.api()
    metadata = () if traceparent is None else (("traceparent", traceparent),)
    call = api.methods["CreateReport"][1]
    call(api.request("CreateReport", {"request": {"case_id": case_id, "product_id": "p", "period": MONTH}}), metadata=metadata, timeout=60)
    return case_id


def events(stack, count):
    """The traceparent of each case's event."""
    if stack.kafka:
        messages = stack.consume("report-ready", count)
        found = {m.key().decode(): dict(m.headers()).get("traceparent") for m in messages}
        return {key: value and value.decode() for key, value in found.items()}

    def rows():
        with sqlite3.connect(f"file:{stack.folder}/data/penstock.sqlite?mode=ro", uri=True) as file:
            rows = file.execute("select key, headers from bus_messages where key is not null").fetchall()
        return len(rows) >= count and rows
    found = {}
    for key, headers in eventually(rows, "the events"):
        at = headers.find(b"00-")
        found[key.decode()] = headers[at:at + 55].decode() if b"traceparent" in headers else None
    return found


def life(stack, path, case_id):
    return json.loads(stack.call("case", path, case_id, "--format", "json").stdout)["attempts"][0]


@pytest.mark.parametrize("kind", ["embedded", "real"])
def test_a_trace_goes_from_the_request_to_its_event(kind, request):
    stack = request.getfixturevalue(kind)
    path = stack.write(change=rule)
    stack.call("migrate", path)
    process = stack.start(path)
    stack.ready()
    wanted = {created(stack, f"00-{TRACE}-00f067aa0ba902b7-01"): f"00-{TRACE}-00f067aa0ba902b7-01",
              created(stack, f"cc-{TRACE}-00f067aa0ba902b7-00-later"): f"00-{TRACE}-00f067aa0ba902b7-00", created(stack, None): None}
    for value in INVALID:
        wanted[created(stack, value)] = None
    if stack.kafka:
        for value in [f"00-{TRACE}-00f067aa0ba902b8-00", *INVALID, "\xff"]:
            case_id = str(uuid.uuid4())
            body = json.dumps({"case_id": case_id, "product_id": "p", "period": MONTH})
            stack.produce("report-requests", [(case_id, body, [("other", b"x"), ("traceparent", value.encode("latin-1"))])])
            wanted[case_id] = value if value.endswith("b8-00") else None
    found = events(stack, len(wanted))
    assert {case_id: found[case_id] for case_id in wanted} == wanted
    for case_id, trace in list(wanted.items())[:4]:
        assert life(stack, path, case_id)["traceparent"] == trace
        assert (f"trace     {TRACE}\n" in stack.call("case", path, case_id).stdout) == bool(trace)
    assert not [line for line in stack.logged_all(process) if "traceparent" in str(line)]


def test_lines_about_a_case_name_its_trace(real):
    path = real.write(change=rule)
    real.call("migrate", path)
    process = real.start(path)
    header = [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]
    real.produce("report-requests", [("k", "nonsense", header)])
    (line,) = eventually(lambda: real.logged(process, "record refused"), "it is refused")
    assert line["metadata"]["trace_id"] == TRACE, line
