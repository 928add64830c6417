"""What was asked for, found again: lists of requests, and reports that are generated anew."""

import json
import subprocess
import uuid

import pytest

from stack import PENSTOCK, eventually
from test_operating import MONTH


def request(requester=None, product="p1"):
    wanted = {"case_id": str(uuid.uuid4()), "product_id": product, "period": MONTH}
    return wanted | ({"requester": requester} if requester else {})


@pytest.fixture
def api(stack):
    def change(stages, document):
        stages["batch"]["trigger"] = {"any": [{"manual": True}, {"max_age": "10h"}]}
        stages["batch"]["min_interval"] = "0s"

    path = stack.write(change=change)
    stack.call("migrate", path)
    stack.start(path)
    stack.ready()
    api = stack.api()
    api.path = path
    return api


def everything(api, **wanted):
    found, token = [], ""
    while True:
        page = api("ListReports", page_token=token, **wanted)
        found += page.get("reports", [])
        token = page.get("next_page_token", "")
        if not token:
            return found


def ids(reports):
    return [report["case_id"] for report in reports]


def test_lists_go_through_what_was_asked_for(stack, api):
    mine = [request("ada", "p1" if number % 3 else "p2") for number in range(25)]
    others = [request("bob") for _ in range(10)] + [request()]
    for wanted in mine + others:
        api("CreateReport", request=wanted)
    newest = [wanted["case_id"] for wanted in reversed(mine)]
    assert ids(everything(api, requester="ada")) == newest
    assert ids(everything(api, requester="ada", page_size=7)) == newest
    assert ids(everything(api, requester="ada", page_size=5, order_by="accepted_at")) == newest[::-1]
    assert len(everything(api, page_size=4)) == 36
    assert set(ids(everything(api, product_id="p2"))) == {w["case_id"] for w in mine if w["product_id"] == "p2"}
    listed = everything(api, requester="ada", page_size=1)[0]
    assert listed["request"]["requester"] == "ada" and listed["request"]["product_id"] == mine[-1]["product_id"]
    assert listed["status"]["state"] == "REPORT_STATE_PENDING" and "batch_fill" in listed["status"]

    api("CancelReport", case_id=newest[0])
    assert ids(everything(api, states=["REPORT_STATE_CANCELLED"])) == [newest[0]]
    # Opened again it is the newest, and still ada's.
    api("CreateReport", request=dict(mine[-1], requester="eve"))
    assert ids(everything(api, requester="ada")) == newest and everything(api, requester="eve") == []
    middle = everything(api, requester="ada")[12]["status"]["accepted_at"]
    later = everything(api, requester="ada", accepted_from=middle)
    assert ids(later) == newest[:13]
    assert ids(everything(api, requester="ada", accepted_before=middle)) == newest[13:]


def test_a_thousand_are_asked_for_in_one_call(stack, api):
    wanted = [request("ada") for _ in range(998)]
    api("CreateReport", request=wanted[0])
    refused = [request() | {"product_id": ""}, dict(wanted[1], product_id="p2")]
    answers = api("BatchCreateReports", requests=wanted + refused)["reports"]
    assert [answer["case_id"] for answer in answers] == ids(wanted + refused)
    states = [answer.get("status", answer.get("error")) for answer in answers[:998]]
    assert [s for s in states[2:] if s.get("state") != "REPORT_STATE_PENDING"] == []
    assert [answer.get("was_known", False) for answer in answers[:3]] == [True, False, False]
    assert answers[998]["error"]["code"] == "INVALID_ARGUMENT" and "product_id" in answers[998]["error"]["message"]
    # Which of two requests of one id comes first is nobody's business; one of them is refused.
    codes = [answers[place].get("error", {}).get("code") for place in (1, 999)]
    assert codes in ([None, "CONFLICT"], ["CONFLICT", None]), codes
    again = api("BatchCreateReports", requests=wanted[2:])["reports"]
    assert all(answer["was_known"] and answer["revision"] == 1 for answer in again)
    assert len(everything(api, requester="ada", page_size=1000)) == 998


def test_a_report_is_generated_anew_when_it_is_asked_for(stack, api):
    wanted = request("ada")
    case_id = wanted["case_id"]
    api("CreateReport", request=wanted)
    stack.call("flush", api.path, "batch")
    first = eventually(lambda: (answer := api("GetReport", case_id=case_id)) and "report" in answer and answer, "a report")
    assert first["revision"] == 1 and first["requester"] == "ada"
    for _ in range(2):
        answer = api("RefreshReport", case_id=case_id)
        assert answer["revision"] == 2 and answer["status"]["state"] == "REPORT_STATE_PENDING"
    assert api("GetReport", case_id=case_id) == first
    # It is wanted again, by whoever asked for that: not to be cancelled with the report.
    assert "report" in api("CancelReport", case_id=case_id)
    stack.call("flush", api.path, "batch")
    second = eventually(
        lambda: (answer := api("GetReport", case_id=case_id))["revision"] == 2 and answer, "the second revision")
    assert "report" in second and second["requester"] == "ada"
    life = stack.call("case", api.path, case_id)
    assert life.stdout.count("succeeded") >= 2, life.stdout


def test_the_commands_list_and_refresh(stack, api):
    def run(*arguments, code=0):
        result = subprocess.run(
            [PENSTOCK, "report", *arguments, "--server", f"127.0.0.1:{stack.port}"],
            capture_output=True, text=True, timeout=60)
        assert result.returncode == code, result.stderr
        return result

    asked = [run("create", "--product", f"p{number}", "--from", "2026-10-01", "--to", "2026-11-01",
                 "--requester", "ada").stdout.strip() for number in range(3)]
    lines = run("list", "--requester", "ada").stdout.splitlines()
    assert lines[0].split() == ["CASE", "STATE", "ACCEPTED", "PRODUCT", "REQUESTER"]
    assert [line.split()[0] for line in lines[1:]] == asked[::-1]
    assert lines[1].split()[1] == "pending" and lines[1].split()[3:] == ["p2", "ada"]
    found = [json.loads(line) for line in run("list", "--order", "oldest", "--format", "json").stdout.splitlines()]
    assert [report["caseId"] for report in found] == asked
    limited = run("list", "--limit", "2")
    assert len(limited.stdout.splitlines()) == 3 and "--limit" in limited.stderr
    assert run("list", "--state", "failed").stdout.splitlines()[1:] == []
    stack.call("flush", api.path, "batch")
    run("wait", asked[0])
    assert "revision 2 is to come" in run("refresh", asked[0]).stdout
    assert "no case" in run("refresh", str(uuid.uuid4()), code=1).stderr
