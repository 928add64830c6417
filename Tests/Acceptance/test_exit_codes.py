"""How the program ends, as a script that starts it sees it."""

import http.server
import os
import pathlib
import pty
import socket
import subprocess
import threading

import pytest

from stack import LIMIT, PENSTOCK, ROOT

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
        master, slave = pty.openpty()
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen([PENSTOCK, "validate", broken], cwd=tmp_path, env={**environment, **more},
                                   stdout=slave, stderr=subprocess.DEVNULL)
        os.close(slave)
        said = b""
        try:
            while data := os.read(master, 4096):
                said += data
        except OSError:
            pass  # The terminal is gone with the program.
        os.close(master)
        assert process.wait(LIMIT) == 78
        assert "^" in said.decode() and "max_bacth" in said.decode()
        assert ("\033[1;31m" in said.decode()) == is_coloured
