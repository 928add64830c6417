"""The program as a service: what it tells the manager that started it, here a socket of the test's own."""

import datetime
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid

import pytest

from stack import LIMIT, PENSTOCK, ROOT, eventually, free_port

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}


class Manager:
    """Hears what a service says of itself, as systemd does."""

    def __init__(self, folder, is_abstract=False):
        self.name = f"@penstock-{uuid.uuid4().hex}" if is_abstract else str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name.replace("@", "\0", 1) if is_abstract else self.name)
        self.socket.setblocking(False)
        self.heard = []

    def lines(self, kind=None):
        """What was said so far, each with when it was heard."""
        while True:
            try:
                message = self.socket.recv(65536).decode()
            except BlockingIOError:
                break
            self.heard += [(time.monotonic(), line) for line in message.split("\n")]
        return [line for _, line in self.heard if kind is None or line.startswith(f"{kind}=")]

    def hears(self, line, limit=LIMIT):
        def found():
            return next((one for one in self.lines() if re.fullmatch(line, one)), None)
        return eventually(found, f"{line} in {self.lines()}", limit=limit, every=0.05)


def rule(stages, document):
    stages["batch"]["trigger"] = {"any": [{"count": 5}, {"max_age": "10m"}, {"manual": True}]}
    stages["batch"]["max_batch"] = 5


@pytest.fixture(params=[False, True], ids=["path", "abstract"])
def manager(request, tmp_path):
    return Manager(tmp_path, request.param)


def test_the_start_what_waits_and_the_stop_are_told(embedded, manager):
    path = embedded.write(change=rule)
    process = embedded.start(path, NOTIFY_SOCKET=manager.name)
    manager.hears("READY=1")
    manager.hears("STATUS=open 0/5")
    before = datetime.datetime.now(datetime.UTC)
    for number in range(2):
        embedded.api()("CreateReport", request={"case_id": str(uuid.uuid4()), "product_id": f"p{number}", "period": MONTH})
    status = manager.hears(r"STATUS=open 2/5, fires \d\d:\d\d \(max_age\)")
    after = datetime.datetime.now(datetime.UTC)
    fires = re.search(r"\d\d:\d\d", status)[0]
    assert fires in {(when + datetime.timedelta(minutes=10)).strftime("%H:%M") for when in (before, after)}
    assert manager.lines("STOPPING") == [] and manager.lines("WATCHDOG") == []
    embedded.stop(process)
    lines = manager.lines()
    assert lines.count("READY=1") == 1 and lines.count("STOPPING=1") == 1 and lines[-1] == "STATUS=stopping", lines
    # It says what is new, and no more.
    said = manager.lines("STATUS")
    assert all(one != other for one, other in zip(said, said[1:])), said


def test_what_is_missing_is_told_and_ready_only_once_it_is_there(embedded, tmp_path):
    manager = Manager(tmp_path)
    port = free_port()

    def change(stages, document):
        stages["reports"]["generator"] = f"grpc://127.0.0.1:{port}"
    path = embedded.write(change=change)
    embedded.call("sample-data", "--products", 1, "--days", 1)
    process = embedded.start(path, NOTIFY_SOCKET=manager.name)
    manager.hears(r"STATUS=not ready: .*conversion-reports/reports.*")
    assert manager.lines("READY") == []
    store = f"embedded:{embedded.folder}/data/penstock.sqlite"
    generator = embedded.start(
        "--listen", f"grpc://127.0.0.1:{port}", "--store", store, command="generate", serving=False)
    manager.hears("READY=1")
    embedded.stop(process)
    embedded.stop(generator)


def test_a_reload_is_no_stop(embedded, tmp_path):
    manager = Manager(tmp_path)
    process = embedded.start(embedded.write(change=rule), NOTIFY_SOCKET=manager.name)
    manager.hears("STATUS=open 0/5")

    def wider(stages, document):
        rule(stages, document)
        stages["batch"]["trigger"]["any"][0]["count"] = 7
        stages["batch"]["max_batch"] = 7
    embedded.write(change=wider)
    process.send_signal(signal.SIGHUP)
    manager.hears("STATUS=open 0/7")
    assert manager.lines("STOPPING") == [] and manager.lines("READY") == ["READY=1"]
    assert "STATUS=stopping" not in manager.lines()
    embedded.stop(process)


def test_a_generator_tells_too(embedded, tmp_path):
    manager = Manager(tmp_path)
    embedded.call("sample-data", "--products", 1, "--days", 1)
    process = embedded.start(
        "--listen", f"grpc://127.0.0.1:{free_port()}", command="generate", serving=False, NOTIFY_SOCKET=manager.name)
    manager.hears("READY=1")
    manager.hears("STATUS=running")
    embedded.stop(process)
    assert "STOPPING=1" in manager.lines()


def test_signs_of_life_come_twice_as_often_as_they_have_to(embedded, tmp_path):
    manager = Manager(tmp_path)
    process = embedded.start(embedded.write(), NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="2000000")
    eventually(lambda: len(manager.lines("WATCHDOG")) >= 6, "six signs", every=0.02)
    times = [when for when, line in manager.heard if line == "WATCHDOG=1"]
    assert max(later - earlier for earlier, later in zip(times, times[1:])) < 2, times
    assert times[-1] - times[0] > 3, times
    # A process that does nothing gives none.
    process.send_signal(signal.SIGSTOP)
    manager.lines()
    count = len(manager.lines("WATCHDOG"))
    time.sleep(3)
    assert len(manager.lines("WATCHDOG")) == count
    process.send_signal(signal.SIGCONT)
    embedded.stop(process)


@pytest.mark.parametrize("variables", [
    {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "nonsense"}, {"WATCHDOG_USEC": "0"}])
def test_no_signs_of_life_where_nobody_waits_for_them(embedded, tmp_path, variables):
    manager = Manager(tmp_path)
    process = embedded.start(embedded.write(), NOTIFY_SOCKET=manager.name, **variables)
    manager.hears("READY=1")
    time.sleep(2)
    assert manager.lines("WATCHDOG") == []
    embedded.stop(process)


@pytest.mark.parametrize("name", ["/nowhere/notify", "vsock:2:1", "", "@" + "n" * 200])
def test_a_manager_that_does_not_listen_changes_nothing(embedded, name):
    process = embedded.start(embedded.write(), NOTIFY_SOCKET=name, WATCHDOG_USEC="200000")
    embedded.ready()
    embedded.stop(process)


def test_a_manager_that_does_not_read_holds_nothing_up(embedded, tmp_path):
    manager = Manager(tmp_path)
    process = embedded.start(embedded.write(), NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="4000")
    embedded.ready()
    time.sleep(2)
    embedded.stop(process)


def test_the_unit_is_in_order(tmp_path):
    # systemd-analyze is in Debian's systemd, which needs not to run; deploy/install has it, and a machine without it fails here.
    text = (ROOT / "deploy/systemd/penstock.service").read_text()
    program = tmp_path / "penstock"
    shutil.copy(PENSTOCK, program)
    os.chmod(program, 0o755)
    unit = tmp_path / "penstock.service"
    unit.write_text(text.replace("/usr/local/bin/penstock", str(program)))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=LIMIT)
    assert (result.returncode, result.stdout + result.stderr) == (0, ""), result.stdout + result.stderr
    # What it starts is a command line that is understood, to the last option.
    words = re.search(r"^ExecStart=(\S+) (.*)$", text, re.M)[2].split()
    known = subprocess.run([PENSTOCK, "run", "--help"], capture_output=True, text=True, timeout=LIMIT).stdout
    assert words[0] == "run" and {w for w in words if w.startswith("--")} <= set(re.findall(r"--[\w-]+", known))
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Type"] == "notify" and settings["RestartPreventExitStatus"] == "64 78" and settings["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_unit_is_hardened(tmp_path):
    result = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", ROOT / "deploy/systemd/penstock.service"],
        capture_output=True, text=True, timeout=LIMIT)
    assert result.returncode == 0, result.stdout + result.stderr
