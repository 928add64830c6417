"""Requests that nobody wants any more: each has exactly one end, and whoever cancelled it was told that one."""

import random
import threading
import time
import uuid

from stack import eventually
from test_operating import MONTH, ready

STATES = {"REPORT_STATE_SUCCEEDED", "REPORT_STATE_CANCELLED"}


def state_of(answer):
    return "REPORT_STATE_SUCCEEDED" if "report" in answer else answer["status"]["state"]


def test_a_thousand_cancellations_that_meet_sealing_and_commits_end_each_case_once(stack):
    def change(stages, document):
        stages["batch"]["trigger"] = {"any": [{"count": 7}, {"max_age": "300ms"}]}
        stages["batch"]["min_interval"] = "0s"

    path = stack.write(change=change)
    stack.call("migrate", path)
    stack.start(path)
    stack.ready()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    told = {}
    failures = []

    def requester(number):
        chance = random.Random(seed + number)
        api = stack.api()
        try:
            for _ in range(125):
                case_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
                api("CreateReport", request={"case_id": case_id, "product_id": "p1", "period": MONTH})
                time.sleep(chance.random() * 0.15)
                told[case_id] = state_of(api("CancelReport", case_id=case_id))
        except Exception as error:  # told by the test below
            failures.append(error)

    threads = [threading.Thread(target=requester, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert len(told) == 1000 and set(told.values()) == STATES, {s: list(told.values()).count(s) for s in set(told.values())}
    # Each has one end, which it keeps: for readers and in the announcements.
    ids = list(told)
    answers = stack.api()("BatchGetReports", case_ids=ids)
    assert {answer["case_id"]: state_of(answer) for answer in answers["reports"]} == told
    events = eventually(lambda: (found := ready(stack, 1000)) and len(found) >= 1000 and found, "each is announced")
    assert {case_id: event["state"] for (case_id, revision), event in events.items()} == told
    assert {revision for _, revision in events} == {1}
