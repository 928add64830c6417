"""How the program ends, as a script that starts it sees it."""

import fcntl
import http.server
import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import threading
import time
import uuid

import pytest

from stack import LIMIT, PENSTOCK, ROOT, eventually, free_port

REPORTS = str(ROOT / "Pipelines" / "conversion-reports.json")


def penstock(folder, *arguments, **more):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
    return subprocess.run([PENSTOCK, *arguments], cwd=folder, env={**environment, **more}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT)


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(pathlib.Path(REPORTS).read_text().replace('"max_batch"', '"max_bacth"'))
    return path.name


def test_0_for_what_is_in_order(tmp_path):
    for arguments in (["validate", REPORTS], ["explain-error"], ["schema"], ["stages", "ingest"], ["--help"]):
        result = penstock(tmp_path, *arguments)
        assert (result.returncode, result.stderr) == (0, ""), arguments


def test_1_for_a_check_that_failed(tmp_path):
    class NotReady(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), NotReady)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    result = penstock(tmp_path, "health", "--server", f"http://127.0.0.1:{server.server_port}/readyz")
    server.shutdown()
    assert result.returncode == 1, result


def test_64_for_a_command_line_that_is_not_understood(tmp_path):
    for arguments, hint in (
            (["vaildate", REPORTS], "did you mean validate?"), (["validate"], "FILE"),
            (["validate", "--format", "xml", REPORTS], "github"), (["explain-error", "unknwon-key"], "unknown-key?")):
        result = penstock(tmp_path, *arguments)
        assert result.returncode == 64 and hint in result.stderr and not result.stdout, (arguments, result)


def test_69_for_what_cannot_be_reached(tmp_path):
    assert penstock(tmp_path, "health", "--server", "127.0.0.1:1").returncode == 69
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = penstock(tmp_path, "run", REPORTS, PENSTOCK_LISTEN=f"grpc://127.0.0.1:{port}")
    assert result.returncode == 69, result.stderr
    assert "the files are in order, but here they can't run: " in result.stderr
    assert "Address already in use" in result.stderr


def test_78_for_a_file_that_is_not_in_order(tmp_path, broken):
    for command in ("validate", "run", "migrate"):
        result = penstock(tmp_path, command, broken)
        assert result.returncode == 78, result
        said = result.stdout + result.stderr
        assert f'{broken}:24:7: error[unknown-key] $.stages[2].max_bacth: unknown key "max_bacth"' in said
    assert [path.name for path in tmp_path.iterdir()] == [broken], "a file was written"
    assert penstock(tmp_path, "validate", "--level", "env", "nowhere.json").returncode == 78


def test_validate_reads_standard_input(tmp_path):
    text = pathlib.Path(REPORTS).read_text()
    for document, code in ((text, 0), (text.replace('"sla"', '"slo"'), 78)):
        result = subprocess.run([PENSTOCK, "validate", "-"], cwd=tmp_path, input=document, capture_output=True, text=True,
                                timeout=LIMIT)
        assert result.returncode == code, result
        assert "<stdin>: " in result.stdout


def test_a_person_at_a_terminal_sees_the_line_in_colour_and_a_pipe_does_not(tmp_path, broken):
    assert "\033" not in penstock(tmp_path, "validate", broken).stdout
    for more, is_coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        code, said = at_a_terminal(tmp_path, "validate", broken, **more)
        assert code == 78
        assert "^" in said and "max_bacth" in said
        assert ("\033[1;31m" in said) == is_coloured


COPY = """{ "version": 1, "name": "copy", "resources": { "in": { "url": "file:in" }, "out": { "url": "stdio:" } },
  "stages": [ { "id": "read", "type": "ingest", "from": [ { "resource": "in" } ] },
              { "id": "write", "type": "publish", "to": "out" } ] }"""

# Every command that prints a result; the rest print nothing but help.
PRINTING = [
    ["--help"], ["--version"], ["help"], ["run", "--help"], ["run", "copy.json"], ["validate", REPORTS],
    ["validate", "--format", "json", REPORTS], ["validate", "broken.json"],
    ["dry-run", "--offline", "--arrivals", "uniform 60/h for 1h", REPORTS],
    ["dry-run", "--offline", "--format", "html", "--arrivals", "uniform 60/h for 1h", REPORTS],
    ["explain-error"], ["explain-error", "unknown-key"], ["stages"], ["stages", "ingest"], ["schema"],
    ["completion", "bash"], ["sample-data", "--help"], ["migrate", "--help"], ["report", "--help"],
    ["report", "get", "--help"], ["flush", "--help"], ["generate", "--help"], ["health", "--help"],
]


def to(stream, folder, *arguments):
    """Runs a command with its output somewhere else than in a pipe that is read."""
    (folder / "copy.json").write_text(COPY)
    (folder / "in").write_text("a line\n" * 10)
    (folder / "broken.json").write_text("{}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
    more = ["--log-level", "error"] if arguments == ("run", "copy.json") else []
    return subprocess.run([PENSTOCK, *arguments, *more], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=stream, stderr=subprocess.PIPE, text=True, timeout=LIMIT)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_74_when_the_output_cannot_be_written(tmp_path, arguments):
    with open("/dev/full", "w") as full:
        result = to(full, tmp_path, *arguments)
    assert result.returncode == 74, result
    assert result.stderr.count("No space left on device") == 1, result


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_141_and_not_a_word_when_the_reader_has_gone(tmp_path, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    result = to(writing, tmp_path, *arguments)
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, ""), result


def test_a_stream_that_is_closed_is_not_the_next_file_to_be_opened(tmp_path):
    for redirection, code in ((">&-", 74), ("<&- 2>&-", 0)):
        result = subprocess.run(["bash", "-c", f"exec {redirection}; exec '{PENSTOCK}' explain-error"], cwd=tmp_path,
                                capture_output=True, text=True, timeout=LIMIT)
        assert result.returncode == code, result
    subprocess.run(["bash", "-c", f"'{PENSTOCK}' sample-data --days 1 --store embedded:s.sqlite >&- 2>&- <&-"],
                   cwd=tmp_path, timeout=LIMIT, check=True)
    assert (tmp_path / "s.sqlite").read_bytes().startswith(b"SQLite format 3")


def test_a_slow_reader_gets_all_of_it_through_a_pipe_that_does_not_wait(tmp_path):
    whole = penstock(tmp_path, "explain-error", "--format", "markdown").stdout
    reading, writing = os.pipe()
    assert len(whole) > 2 * fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096), "too short for a pipe to be full"
    os.set_blocking(writing, False)
    process = subprocess.Popen([PENSTOCK, "explain-error", "--format", "markdown"], stdout=writing, cwd=tmp_path)
    os.close(writing)
    time.sleep(0.5)
    with open(reading) as pipe:
        assert pipe.read() == whole
    assert process.wait(LIMIT) == 0


def at_a_terminal(folder, *arguments, **more):
    """(exit code, what a person at a terminal sees on both streams)"""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen([PENSTOCK, *arguments], cwd=folder, env={**environment, **more}, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    try:
        while data := os.read(master, 4096):
            said += data
    except OSError:
        pass  # The terminal is gone with the program.
    os.close(master)
    return process.wait(LIMIT), said.decode()


def test_a_terminal_without_colours_gets_no_escapes(tmp_path, broken):
    for command in (["validate", broken], ["dry-run", "--offline", "--arrivals", "uniform 60/h for 1h", REPORTS]):
        assert "\033" in at_a_terminal(tmp_path, *command, TERM="xterm")[1]
        for more in ({"TERM": "dumb"}, {"TERM": ""}, {}, {"TERM": "xterm", "NO_COLOR": "1"}):
            code, said = at_a_terminal(tmp_path, *command, **more)
            assert code in (0, 78) and len(said) > 100 and "\033" not in said, (command, more, said)


def test_a_used_port_is_told_in_log_lines_of_ours_only(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = penstock(tmp_path, "run", "--log-format", "json", REPORTS,
                          PENSTOCK_LISTEN=f"grpc://127.0.0.1:{taken.getsockname()[1]}")
    assert result.returncode == 69
    lines = result.stderr.splitlines()
    assert all(line.startswith("{") for line in lines[:-1]), result.stderr
    assert "the files are in order" in lines[-1]


def test_report_and_health_take_the_scheme_of_a_pipeline_file(embedded):
    embedded.start(embedded.write())
    for server in (f"grpc://127.0.0.1:{embedded.port}", f"grpc://127.0.0.1:{embedded.port}/", f"127.0.0.1:{embedded.port}"):
        eventually(lambda: embedded.call("health", "--server", server, check=False).stdout == "serving\n", "it serves")
        result = embedded.call("report", "get", "--server", server, "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", check=False)
        assert "NOT_FOUND" in result.stderr, result
    assert embedded.call("report", "get", "--server", "https://a:1", "x", check=False).returncode == 64


def test_report_wait_takes_as_long_as_it_is_told(embedded):
    embedded.start(embedded.write())
    case = embedded.call("report", "create", "--server", f"127.0.0.1:{embedded.port}", "--product", "product-1", "--from",
                         "2026-11-01", "--to", "2026-11-02").stdout.strip()
    begun = time.monotonic()
    result = embedded.call("report", "wait", "--server", f"127.0.0.1:{embedded.port}", "--timeout", "2s", case, check=False)
    assert result.returncode == 75, result
    assert 1.5 < time.monotonic() - begun < 10
    begun = time.monotonic()
    result = embedded.call("report", "wait", "--server", f"127.0.0.1:{free_port()}", "--timeout", "2s", case, check=False)
    assert result.returncode == 69, result
    assert result.stderr.count("trying again") == 1
    assert 1.5 < time.monotonic() - begun < 10


def test_report_wait_that_waits_for_nothing_looks_once(embedded):
    embedded.start(embedded.write())
    embedded.ready()
    case = embedded.call("report", "create", "--server", f"127.0.0.1:{embedded.port}", "--product", "product-1", "--from",
                         "2026-11-01", "--to", "2026-11-02").stdout.strip()
    result = embedded.call("report", "wait", "--server", f"127.0.0.1:{embedded.port}", "--for", "0s", case, check=False)
    assert result.returncode == 75, result


def test_report_wait_has_its_answer_in_time_from_a_server_that_is_slow_in_the_end(embedded):
    process = embedded.start(embedded.write())
    embedded.ready()
    case = embedded.call("report", "create", "--server", f"127.0.0.1:{embedded.port}", "--product", "product-1", "--from",
                         "2026-11-01", "--to", "2026-11-02").stdout.strip()
    waiting = subprocess.Popen([PENSTOCK, "report", "wait", "--server", f"127.0.0.1:{embedded.port}", "--timeout", "4s", case],
                               cwd=embedded.folder, env=embedded.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3.8)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    process.send_signal(signal.SIGCONT)
    out, err = waiting.communicate(timeout=LIMIT)
    assert waiting.returncode == 75, (out, err)


def test_report_wait_lasts_through_a_restart(embedded):
    path = embedded.write()
    process = embedded.start(path)
    server = f"127.0.0.1:{embedded.port}"
    case = embedded.call("report", "create", "--server", server, "--product", "product-1", "--from", "2026-11-01", "--to",
                         "2026-11-02").stdout.strip()
    waiting = subprocess.Popen([PENSTOCK, "report", "wait", "--server", server, "--for", "60s", case], cwd=embedded.folder,
                               env=embedded.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    embedded.stop(process)
    time.sleep(1)
    embedded.start(path)
    embedded.call("flush", path, "batch")
    out, err = waiting.communicate(timeout=LIMIT)
    assert waiting.returncode == 0, (out, err)
    assert case in out


def test_a_report_is_cancelled_by_who_asked_for_it(embedded):
    path = embedded.write()
    embedded.start(path)
    server = f"127.0.0.1:{embedded.port}"
    ids = [embedded.call("report", "create", "--server", server, "--product", f"product-{n}", "--from", "2026-11-01", "--to",
                         "2026-11-02").stdout.strip() for n in (1, 2)]
    cancel = ["report", "cancel", "--server", server]
    for _ in range(2):
        result = embedded.call(*cancel, ids[0])
        assert "Cancelled" in result.stdout and "cancelled by its requester" in result.stdout, result
    embedded.call("flush", path, "batch")
    answer = embedded.call("report", "wait", "--server", server, ids[1]).stdout
    result = embedded.call(*cancel, ids[1], check=False)
    assert (result.returncode, result.stdout) == (1, answer), result
    result = embedded.call(*cancel, str(uuid.uuid4()), check=False)
    assert result.returncode == 1 and "NOT_FOUND" in result.stderr, result
    unknown = str(uuid.uuid4())
    many = embedded.api()("BatchGetReports", case_ids=[ids[1], unknown, ids[0], ids[1].upper()])
    assert [r["case_id"] for r in many["reports"]] == [ids[1], ids[0]], many
    assert "report" in many["reports"][0] and many["reports"][1]["status"]["state"].endswith("CANCELLED"), many
    assert many["unknown_case_ids"] == [unknown], many


def test_many_reports_are_asked_for_by_a_file(embedded, tmp_path):
    path = embedded.write()
    process = embedded.start(path)
    server = f"grpc://127.0.0.1:{embedded.port}"
    day = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-11-02T00:00:00Z"}
    wanted = [{"case_id": str(uuid.uuid4()), "product_id": f"product-{n % 20}", "period": day} for n in range(1000)]
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(json.dumps(request) + "\n" for request in wanted))
    create = ["report", "create", "--timeout", "60s", "--file", str(file)]
    # A server that goes away meanwhile is waited for, and nothing is asked for twice.
    asking = subprocess.Popen([PENSTOCK, *create], cwd=embedded.folder, env={**embedded.environment, "PENSTOCK_SERVER": server},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    embedded.stop(process, signal.SIGKILL)
    embedded.start(path)
    out, err = asking.communicate(timeout=LIMIT)
    assert (asking.returncode, err) == (0, "1,000 requests accepted\n"), (asking.returncode, err)
    assert out.split() == [request["case_id"] for request in wanted]
    assert json.loads(embedded.call("batches", path, "--format", "json").stdout)["open"]["cases"] <= 1000
    answers = embedded.api()("BatchGetReports", case_ids=[request["case_id"] for request in wanted])
    assert len(answers["reports"]) == 1000 and "unknown_case_ids" not in answers
    # What a line asks for may be refused; the others are accepted.
    wrong = [wanted[0], {**wanted[1], "product_id": "another"}, {"product_id": "p", "period": day}, {"period": day}]
    file.write_text("\n".join(json.dumps(request) for request in wrong))
    result = embedded.call(*create, "--server", server, check=False)
    assert result.returncode == 1 and len(result.stdout.split()) == 2, result
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{file}:2: ALREADY_EXISTS: ") and lines[1].startswith(f"{file}:4: INVALID_ARGUMENT: "), lines
    assert lines[2] == "2 requests accepted, 2 not accepted", lines
    # A file with a line that is no request is refused whole.
    file.write_text(json.dumps(wanted[0]) + '\n\n{"period": 3}\nnothing')
    result = embedded.call(*create, "--server", server, check=False)
    assert result.returncode == 64 and result.stdout == "", result
    assert f"{file}:3: is no request: " in result.stderr and f"{file}:4: " in result.stderr, result
    assert result.stderr.endswith("nothing was sent\n"), result
    assert embedded.call(*create, "--product", "p", check=False).returncode == 64
    assert embedded.call("report", "create", "--product", "p", check=False).returncode == 64


def test_flush_says_where_it_looked_and_makes_nothing(embedded, tmp_path):
    path = embedded.write()
    other = tmp_path / "elsewhere"
    other.mkdir()
    embedded.start(path)
    result = subprocess.run([PENSTOCK, "flush", path, "batch"], cwd=other, env=embedded.environment, capture_output=True,
                            text=True, timeout=LIMIT)
    assert result.returncode == 69, result
    assert result.stderr == (
        "penstock flush: the ledger of batch is not in embedded:data/penstock.sqlite: the file is not there. "
        "PENSTOCK_STORE is not set here: set it as `run` was started with it\n")
    assert list(other.iterdir()) == []
    assert embedded.call("flush", path, "batch").stderr == "flush of batch requested\n"


def test_flush_of_a_rule_without_a_manual_trigger_is_refused(embedded):
    def change(stages, _):
        stages["batch"]["trigger"] = {"any": [{"count": 50}, {"max_age": "2m"}]}

    path = embedded.write(change=change)
    embedded.start(path)
    result = embedded.call("flush", path, "batch", check=False)
    assert result.returncode == 1, result
    assert result.stderr == ('penstock flush: the trigger of batch has no { "manual": true }: a flush would do nothing '
                             "[no-manual-trigger]\n")


def test_migrate_does_not_take_a_yes_to_nothing(embedded):
    path = embedded.write()
    result = embedded.call("migrate", "--yes", path, check=False)
    assert (result.returncode, result.stderr) == (64, "penstock migrate: --yes has no effect without --abandon\n"), result


def test_dead_letters_that_are_not_there_are_a_failure(embedded):
    path = embedded.write()
    embedded.start(path)
    for command, said in (("replay", "0 to be tried again"), ("drop", "0 dropped")):
        result = embedded.call("dead-letters", command, path, "17", "18", check=False)
        assert (result.returncode, result.stdout) == (1, said + "\n"), result
        assert result.stderr.endswith("2 of these ids name no letter\n"), result
        assert embedded.call("dead-letters", command, path, "--all").returncode == 0


def test_a_short_run_tells_of_all_that_it_has_refused(tmp_path):
    """The first of a kind is told of at once; how many there were, at the end."""
    (tmp_path / "events.json").write_text("""{ "version": 1, "name": "events",
      "resources": { "in": { "url": "file:lines" }, "store": { "url": "embedded:s.sqlite" } },
      "stages": [ { "id": "read", "type": "ingest", "codec": "conversion-event", "from": [ { "resource": "in" } ] },
                  { "id": "stored", "type": "publish", "to": "store" } ] }""")
    (tmp_path / "lines").write_text("no event\n" * 1000)
    result = penstock(tmp_path, "run", "--log-format", "json", "events.json")
    assert result.returncode == 0, result
    told = [json.loads(line) for line in result.stderr.splitlines()]
    told = [(event["message"], event["metadata"]["code"], event["metadata"]["records"]) for event in told
            if "refused" in event["message"]]
    assert told == [("record refused", "malformed", "1"), ("records refused", "malformed", "999")], told
    assert len((tmp_path / "lines.dead-letters").read_text().splitlines()) == 1000


def test_no_exit_handler_runs_while_threads_of_libraries_do(tmp_path):
    """OpenSSL's takes away what a thread of librdkafka may be working with: the process died of SIGSEGV, now and then."""
    (tmp_path / "handler.c").write_text(r'''
#include <stdlib.h>
#include <unistd.h>
static void ran(void) { write(2, "an exit handler ran\n", 20); }
__attribute__((constructor)) static void prepare(void) { atexit(ran); }
''')
    subprocess.run(["clang", "-shared", "-fPIC", "-o", "handler.so", "handler.c"], cwd=tmp_path, check=True)
    for arguments, code in (["validate", REPORTS], 0), (["nonsense"], 64):
        result = penstock(tmp_path, *arguments, LD_PRELOAD=str(tmp_path / "handler.so"))
        assert result.returncode == code and "exit handler" not in result.stderr, result.stderr
