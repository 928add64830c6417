"""A thousand records that were kept are replayed, whoever is killed meanwhile: each is in the ledger once."""

import contextlib
import json
import re
import sqlite3
import subprocess
import time

from stack import LIMIT, PENSTOCK, eventually
from test_dead_letters import create_topic, dead_letters, request, sent

COUNT = 1000


def waiting(stages, document):
    """Whatever is accepted stays in the open batch."""
    stages["batch"]["trigger"] = {"any": [{"count": 10 * COUNT}, {"max_age": "12h"}]}
    stages["batch"]["max_batch"] = 10 * COUNT


def file(stack):
    return contextlib.closing(sqlite3.connect(f"{stack.folder}/data/penstock.sqlite", timeout=LIMIT))


def counted(stack, servers, embedded):
    if stack.kafka:
        return int(stack.sql(f"select {servers}")[0][0])
    with file(stack) as connection:
        return connection.execute(f"select {embedded}").fetchone()[0]


def kept(stack):
    return counted(stack, "count(*) from penstock.dead_letters", "count(*) from ledger_dead_letters")


def cases(stack):
    return counted(stack, "count(*) from penstock.cases", "count(*) from ledger_cases")


def keep(stack):
    """A running pipeline, requests that a topic's dead letters have not taken, as a full disk leaves them, say."""
    wanted = [request(f"p-{number}") for number in range(COUNT)]
    topic = stack.topic("report-requests")
    path = stack.write(change=waiting)
    if stack.kafka:
        stack.call("migrate", path)
        for first in range(0, COUNT, 200):
            rows = ",".join(f"({first + no}, '{r['case_id']}', '{json.dumps(r)}')" for no, r in enumerate(wanted[first:first + 200]))
            stack.sql(
                "insert into penstock.dead_letters(pipeline, stage, code, reason, attempts, refusal, resource, source, part,"
                " record_no, recorded_at, key, payload, header_names, header_values) select 'conversion-reports', 'requests',"
                f" 'malformed', 'why', 1, 'refused', 'bus', '{topic}', 0, no, now(), key::bytea, payload::bytea, '{{}}', '{{}}'"
                f" from (values {rows}) as rows(no, key, payload)")
        return wanted, path, stack.start(path)
    stack.stop(stack.start(path))
    with file(stack) as connection, connection:
        connection.executemany(
            "insert into ledger_dead_letters(pipeline, stage, code, reason, attempts, kept_at, refusal, resource, source,"
            " partition, record_no, recorded_at, key, payload) values('conversion-reports', 'requests', 'malformed', 'why', 1,"
            " ?, 'refused', 'bus', 'report-requests', 0, ?, 0, ?, ?)",
            [(int(time.time() * 1e6), offset, r["case_id"].encode(), json.dumps(r).encode()) for offset, r in enumerate(wanted)])
    return wanted, path, stack.start(path)


def place(message):
    """Where a replayed message has been before."""
    headers = dict(message.headers())
    return tuple(headers[f"penstock-replayed-{part}"] for part in ("topic", "partition", "offset"))


@contextlib.contextmanager
def slowly(stack):
    """Letters leave the store so slowly that somebody can look on: on servers each step takes half a second."""
    if not stack.kafka:
        yield
        return
    stack.sql("create function slowly() returns trigger language plpgsql as $$ begin"
              " if old.letter_no % 64 = 0 then perform pg_sleep(0.5); end if; return old; end $$;"
              "create trigger slowly before delete on penstock.dead_letters for each row execute function slowly()")
    yield
    stack.sql("drop trigger slowly on penstock.dead_letters; drop function slowly()")


def test_a_replay_that_is_killed_half_way_is_repeated(stack):
    wanted, path, process = keep(stack)
    with slowly(stack):
        replay = subprocess.Popen(
            [PENSTOCK, "dead-letters", "replay", path, "--all"], cwd=stack.folder, env=stack.environment, stdout=subprocess.PIPE)
        eventually(lambda: kept(stack) <= COUNT * 2 / 3, "a third is gone", every=0)
        replay.kill()
        assert replay.wait(LIMIT) == -9 and replay.stdout.read() == b""
    left = kept(stack)
    assert 0 < left < COUNT, left
    assert f"{left} to be tried again" in stack.call("dead-letters", "replay", path, "--all").stdout
    assert dead_letters(stack, path) == []
    eventually(lambda: cases(stack) == COUNT, "each is in the ledger")
    for one in (wanted[0], wanted[-1]):
        life = json.loads(stack.call("case", path, one["case_id"], "--format", "json").stdout)
        assert [attempt["state"] for attempt in life["attempts"]] == ["pending"], life
    if stack.kafka:
        # Those that were in flight when it was killed are written twice, from the same places.
        places = {place(message) for message in stack.consume("report-requests", count=COUNT, distinct=place)}
        assert len(places) == COUNT, len(places)
    stack.stop(process)
    assert cases(stack) == COUNT and kept(stack) == 0


def test_letters_are_chosen_by_stage_code_and_age(stack):
    _, path, process = keep(stack)
    # Ten are two hours old.
    if stack.kafka:
        stack.sql("update penstock.dead_letters set kept_at = kept_at - interval '2h' where letter_no in"
                  " (select letter_no from penstock.dead_letters order by letter_no limit 10)")
    else:
        with file(stack) as connection, connection:
            connection.execute("update ledger_dead_letters set kept_at = kept_at - 7200000000 where letter_no <= 10")
    every = dead_letters(stack, path)
    assert len(every) == COUNT and len({letter["id"] for letter in every}) == COUNT
    code, stage = every[0]["code"], every[0]["stage"]
    for arguments, count in [
        (["--older-than", "1h"], 10), (["--newer-than", "1h"], COUNT - 10), (["--older-than", "3h"], 0),
        (["--older-than", "1h", "--newer-than", "3h"], 10), (["--code", code, "--stage", stage], COUNT),
        (["--code", "nonsense"], 0), (["--code", code, "--older-than", "1h"], 10),
    ]:
        assert len(dead_letters(stack, path, *arguments)) == count, arguments
    unknown = stack.call("dead-letters", "list", path, "--stage", "nonsense", check=False)
    assert unknown.returncode == 64 and stage in unknown.stderr, unknown
    text = stack.call("dead-letters", "list", path, "--older-than", "1h").stdout.splitlines()
    assert len(text) == 10 and all(code in line and stage in line for line in text), text
    refused = stack.call("dead-letters", "drop", path, every[0]["id"], "--older-than", "1h", check=False)
    assert refused.returncode == 64 and "--older-than" in refused.stderr, refused.stderr
    assert "3 dropped" in stack.call("dead-letters", "drop", path, *(letter["id"] for letter in every[:3])).stdout
    assert "7 to be tried again" in stack.call("dead-letters", "replay", path, "--all", "--older-than", "1h").stdout
    eventually(lambda: cases(stack) == 7, "those that were chosen are accepted")
    assert "990 dropped" in stack.call("dead-letters", "drop", path, "--all", "--newer-than", "1h").stdout
    stack.stop(process)


def test_parked_outcomes_of_one_case_have_names_of_their_own(real):
    create_topic(real, real.topic("report-ready"), max_message_bytes=620)

    def change(stages, document):
        stages["batch"].update({"trigger": {"any": [{"count": 1}, {"max_age": "1h"}]}, "max_batch": 1, "min_interval": "0s"})

    path = real.write(change=change)
    real.call("migrate", path)
    process = real.start(path)
    case = request("p" * 190)["case_id"]
    real.produce("report-requests", sent([{**request("p" * 190), "case_id": case}]))
    [first] = eventually(lambda: dead_letters(real, path), "the outcome is parked")
    real.call("replay-batch", path, first["batch"])
    both = eventually(lambda: [x for x in [dead_letters(real, path)] if len(x) == 2], "so is its next revision")[0]
    assert [x["id"] for x in both] == [f"ready:{case}:1", f"ready:{case}:2"] and both[0] == first, both
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", x["parked_at"]) for x in both), both
    assert [x["revision"] for x in both] == [1, 2] and both[0]["event_id"] != both[1]["event_id"], both
    assert json.loads(real.call("dead-letters", "show", path, both[1]["id"]).stdout) == both[1]
    for command in ("show", "replay", "drop"):
        unclear = real.call("dead-letters", command, path, f"ready:{case}", check=False)
        assert unclear.returncode == 64 and f"name one of ready:{case}:1, ready:{case}:2" in unclear.stderr, unclear
    assert "1 dropped" in real.call("dead-letters", "drop", path, both[0]["id"]).stdout
    assert dead_letters(real, path) == both[1:]
    # As earlier versions named it.
    assert json.loads(real.call("dead-letters", "show", path, f"ready:{case}").stdout) == both[1]
    assert "1 dropped" in real.call("dead-letters", "drop", path, f"ready:{case}").stdout
    assert dead_letters(real, path) == []
    real.stop(process)
