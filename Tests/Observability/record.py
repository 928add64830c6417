"""Records a run in which much goes wrong, as the rules' tests take it: its series, a sample every 15 seconds, from /metrics.

    deploy/run sh -c 'PENSTOCK=.build/debug/penstock python Tests/Observability/record.py' > series.yml

Needs the servers of deploy/test-servers (PENSTOCK_TEST_POSTGRES, _REDIS, _KAFKA), takes nine minutes, and stops that Redis for three
and a half of them. What of it a test needs is copied into deploy/observability/penstock.rules.test.yml; names of this machine
(ports, databases) are replaced there.
"""

import datetime
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Acceptance"))
from stack import LIMIT, Stack, free_port  # noqa: E402

INTERVAL = 15
MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}


def scrape(port):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).read().decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#") and "_bucket{" not in line)
    return {name: float(value) for name, value in lines}


def written(samples):
    """Samples in promtool's notation: what has gone is `stale` once and then `_`, as Prometheus has it; the same value again is `+0x`."""
    values = ["_" if s is None else f"{round(s, 3):g}" if abs(s) < 1e6 else f"{round(s)}" for s in samples]
    for number in range(1, len(values)):
        if values[number] == "_" and values[number - 1] not in ("_", "stale"):
            values[number] = "stale"
    parts, start = [], 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] != values[start]:
            count = end - start
            parts.append(values[start] if count == 1 else f"_x{count}" if values[start] == "_" else f"{values[start]}+0x{count - 1}")
            start = end
    return " ".join(parts)


def rule(generator):
    def change(stages, document):
        batch = next(stage for stage in stages.values() if stage["type"] == "accumulate")
        batch["trigger"] = {"any": [{"count": 5}, {"max_age": "20m"}, {"manual": True}]}
        batch["max_batch"] = 5
        next(stage for stage in stages.values() if stage["type"] == "generate")["generator"] = generator
    return change


def create(api, count):
    deadline = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    for number in range(count):
        api("CreateReport", request={"case_id": str(uuid.uuid4()), "product_id": f"p{number}", "period": MONTH, "deadline": deadline.isoformat()})


def main():
    stack = Stack(tempfile.mkdtemp(), servers=True)
    port, generator = free_port(), f"grpc://127.0.0.1:{free_port()}"
    redis = re.search(r":(\d+)", os.environ["PENSTOCK_TEST_REDIS"].split("@")[-1]).group(1)
    redis = int(subprocess.run(
        ["redis-cli", "-p", redis, "info", "server"], check=True, capture_output=True, text=True
    ).stdout.split("process_id:")[1].split()[0])
    path = stack.write(change=rule(generator))
    stack.call("migrate", path)
    stack.start("--admin", str(port), path)
    api = stack.api()
    events = {
        15: lambda: (create(api, 3), stack.produce("report-requests", [(b"k", b"nonsense", [])] * 30)),
        60: lambda: create(api, 5),
        120: lambda: os.kill(redis, signal.SIGSTOP),
        330: lambda: os.kill(redis, signal.SIGCONT),
        420: lambda: (
            stack.start("--listen", generator, "--store", stack.environment["PENSTOCK_STORE"], command="generate", serving=False),
            stack.call("flush", path, "batch")),
    }
    series, start = [], time.monotonic()
    try:
        for at in range(0, 541, INTERVAL):
            time.sleep(max(0, start + at - time.monotonic()))
            series.append(scrape(port))
            print(f"{at} s", file=sys.stderr)
            if at in events:
                events[at]()
    finally:
        os.kill(redis, signal.SIGCONT)
        stack.close()
    for name in sorted(set().union(*series)):
        print(f"      - series: '{name}'\n        values: '{written([sample.get(name) for sample in series])}'")


if __name__ == "__main__":
    main()
