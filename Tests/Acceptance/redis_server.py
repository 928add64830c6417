"""A Redis of the test's own, to be stopped and started."""

import subprocess

from stack import LIMIT, eventually, free_port


class RedisServer:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL)
        eventually(lambda: self.cli("ping") == ["PONG"], "Redis answers")

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT)

    def cli(self, *arguments):
        result = subprocess.run(
            ["redis-cli", "-p", str(self.port), *arguments], capture_output=True, text=True, timeout=LIMIT)
        return result.stdout.split()

    def keys(self):
        return self.cli("keys", "*")
