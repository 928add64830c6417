"""The two ways to start every part: deploy/docker-compose.yml under podman, and deploy/local-stack."""

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tests/Acceptance"))

from stack import eventually  # noqa: E402

# A busy machine with two cores starts a JVM in 20 s.
START = 180


def command(*arguments, check=True, timeout=600, **more):
    result = subprocess.run(
        list(map(str, arguments)), capture_output=True, text=True, timeout=timeout, **more)
    if check and result.returncode != 0:
        raise AssertionError(
            f"{arguments}: exit {result.returncode}\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
    return result


class Topology:
    PARTS = ["kafka", "postgres", "redis", "worker-1", "worker-2", "generator", "api"]
    target = "127.0.0.1:50051"

    def batches(self):
        return self.sql("select cardinality(cases), closed_by from penstock.batches order by batch_no")

    def produce(self, topic, pairs):
        """pairs: (key, value) each; waits until the broker has acknowledged all of them."""
        lines = "".join(f"{key}\t{value}\n" for key, value in pairs)
        # -E: a broker that restarts is no reason to give up.
        self.kcat("-P", "-E", "-t", topic, "-K", "\t", "-X", "acks=all", input=lines)

    def consume(self, topic):
        """Everything that is in a topic now."""
        output = self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%k\t%s\n").stdout
        return [tuple(line.split("\t", 1)) for line in output.splitlines()]


class LocalStack(Topology):
    def __init__(self, folder):
        self.folder = folder / "stack"
        self.environment = dict(os.environ)

    def stack(self, verb, *arguments, **more):
        return command(ROOT / "deploy/local-stack", verb, "--dir", self.folder, *arguments,
                       env={**self.environment, **more})

    def up(self, **more):
        self.stack("up", **more)

    def down(self):
        self.stack("down")

    def status(self):
        return self.stack("status").stdout

    def restart(self, part):
        """By SIGKILL: nothing gets to say goodbye."""
        self.stack("restart", part, "kill")

    def sample(self, file, *arguments):
        self.stack("run", "sample-data", "--emit", file, *arguments)

    def flush(self):
        self.stack("run", "flush", ROOT / "Pipelines/conversion-reports.json", "batch")

    def settings(self):
        text = (self.folder / "environment").read_text()
        return dict(line.removeprefix("export ").split("=", 1) for line in text.splitlines())

    def sql(self, statement):
        url = self.settings()["PENSTOCK_STORE"]
        output = command("psql", url, "-XAt", "-F", "\t", "-c", statement).stdout
        return [line.split("\t") for line in output.splitlines()]

    def kcat(self, *arguments, **more):
        broker = self.settings()["PENSTOCK_BUS"].removeprefix("kafka://")
        return command("kcat", "-b", broker, *arguments, **more)


class Compose(Topology):
    """podman 4.3 without systemd runs no health check by itself and waits for no condition: both are done here, as the
    file says."""

    FILE = ROOT / "deploy/docker-compose.yml"
    PROJECT = "penstock"

    def __init__(self, folder):
        import yaml

        self.folder = folder
        self.services = yaml.safe_load(self.FILE.read_text())["services"]
        self.environment = {**os.environ, "POSTGRES_PASSWORD": "p@ss word/of:tests"}
        self.started = {}

    def compose(self, *arguments, check=True, **more):
        tool = os.environ.get("PODMAN_COMPOSE", "podman-compose")
        return command(tool, "-f", self.FILE, *arguments, check=check,
                       env={**self.environment, **more})

    def container(self, service):
        return f"{self.PROJECT}_{service}_1"

    def up(self, **more):
        # Without dependencies among containers, which podman 4.3 resolves only for containers started together.
        self.compose("up", "--no-start", "--no-build", "--no-deps", **more)
        for service in self.order():
            begun = time.monotonic()
            for other, how in self.services[service].get("depends_on", {}).items():
                self.await_condition(other, how["condition"])
            command("podman", "start", self.container(service))
            if service == "migrate":
                self.await_condition(service, "service_completed_successfully")
            else:
                self.await_condition(service, "service_healthy")
            self.started[service] = time.monotonic() - begun

    def order(self):
        """Services without a profile, each behind what it depends on."""
        done = []

        def visit(service):
            for other in self.services[service].get("depends_on", {}):
                visit(other)
            if service not in done:
                done.append(service)

        for service, definition in self.services.items():
            if "profiles" not in definition:
                visit(service)
        return done

    def await_condition(self, service, condition):
        name = self.container(service)
        if condition == "service_completed_successfully":
            assert command("podman", "wait", name).stdout.strip() == "0", self.logs(service)
        else:
            eventually(lambda: self.healthy(service), f"{service} is healthy\n{self.logs(service)}", START, 0.3)

    def healthy(self, service):
        return command("podman", "healthcheck", "run", self.container(service), check=False).returncode == 0

    def logs(self, service):
        result = command("podman", "logs", "--tail", "50", self.container(service), check=False)
        return result.stdout + result.stderr

    def status(self):
        return command("podman", "ps", "--all", "--format", "{{.Names}} {{.Status}} {{.Ports}}").stdout

    def down(self):
        self.compose("down", "--volumes", "--timeout", "40")

    def restart(self, part):
        """By SIGKILL: nothing gets to say goodbye."""
        command("podman", "kill", "--signal", "KILL", self.container(part))
        command("podman", "wait", self.container(part), check=False)
        command("podman", "start", self.container(part))
        self.await_condition(part, "service_healthy")

    def sample(self, file, *arguments):
        out = pathlib.Path(file).parent
        out.chmod(0o777)
        self.compose("--profile", "sample-data", "run", "--rm", "--no-deps", "-T", "-v", f"{out}:/out", "sample-data",
                     "sample-data", "--emit", f"/out/{pathlib.Path(file).name}", *arguments)

    def flush(self):
        command("podman", "exec", self.container("worker-1"), "penstock", "flush", "Pipelines/conversion-reports.json",
                "batch")

    def sql(self, statement):
        output = command("podman", "exec", "-e", f"PGPASSWORD={self.environment['POSTGRES_PASSWORD']}",
                         self.container("postgres"), "psql", "-h", "127.0.0.1", "-U", "penstock", "-d", "penstock",
                         "-XAt", "-F", "\t", "-c", statement).stdout
        return [line.split("\t") for line in output.splitlines()]

    def kcat(self, *arguments, **more):
        return command("podman", "run", "--rm", "-i", "--network", f"{self.PROJECT}_inside",
                       "localhost/penstock-test-client", "-b", "kafka:9092", *arguments, **more)

    def inspect(self, service):
        return json.loads(command("podman", "inspect", self.container(service)).stdout)[0]
