"""The two ways to start every part: deploy/docker-compose.yml under podman, and deploy/local-stack."""

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Tests/Acceptance"))

from stack import eventually, free_port  # noqa: E402

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

    def sql(self, statement):
        output = command(*self.psql(), "-A", "-t", "-F", "\t", "-c", statement).stdout
        return [line.split("\t") for line in output.splitlines()]

    def batches(self):
        return self.sql("select cardinality(cases), closed_by from penstock.batches order by batch_no")

    def logged(self, part, message, batch):
        """What a part's log says of a batch."""
        events = [json.loads(line) for line in self.log(part).splitlines() if line.startswith("{")]
        return [e for e in events if e["message"] == message and e["metadata"].get("batch") == batch]

    def produce(self, topic, pairs):
        """pairs: (key, value) each; waits until the broker has acknowledged all of them."""
        lines = "".join(f"{key}\t{value}\n" for key, value in pairs)
        # -E: a broker that restarts is no reason to give up, unless it takes too long.
        self.kcat("-P", "-E", "-t", topic, "-K", "\t", "-X", "acks=all", "-X", "message.timeout.ms=60000", input=lines)

    def consume(self, topic):
        """Everything that is in a topic now."""
        output = self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%k\t%s\n").stdout
        return [tuple(line.split("\t", 1)) for line in output.splitlines()]


class LocalStack(Topology):
    def __init__(self, folder):
        self.folder = folder / "stack"
        self.target = f"127.0.0.1:{free_port()}"
        self.environment = {**os.environ, "PENSTOCK_LISTEN": f"grpc://{self.target}"}

    def stack(self, verb, *arguments, **more):
        return command(ROOT / "deploy/local-stack", verb, "--dir", self.folder, *arguments,
                       env={**self.environment, **more})

    def up(self, **more):
        begun = time.monotonic()
        self.stack("up", **more)
        print(f"\nevery part is up within {time.monotonic() - begun:.0f} s")

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

    def psql(self):
        return ["psql", self.settings()["PENSTOCK_STORE"], "-X", "-q"]

    def log(self, part):
        return (self.folder / f"{part}.log").read_text()

    def kcat(self, *arguments, **more):
        broker = self.settings()["PENSTOCK_BUS"].removeprefix("kafka://")
        return command("kcat", "-b", broker, *arguments, **more)


class Compose(Topology):
    """podman 4.3 without systemd runs no health check by itself and waits for no condition: both are done here, as the
    file says.

    Containers start and stop one after the other, with time in between, and clients run in one that stays: where they
    come and go at the same moment, Debian 12's aardvark-dns dies, and no name in the network is known any more."""

    FILE = ROOT / "deploy/docker-compose.yml"
    PROJECT = os.environ.get("COMPOSE_PROJECT_NAME", "penstock-test")
    target = "127.0.0.1:50051"
    CLIENT = "penstock-test-client"

    def __init__(self, folder):
        import yaml

        self.folder = folder
        self.services = yaml.safe_load(self.FILE.read_text())["services"]
        self.environment = {
            **os.environ, "COMPOSE_PROJECT_NAME": self.PROJECT, "POSTGRES_PASSWORD": "p@ss word/of:tests"}
        self.started = {}

    def compose(self, *arguments, check=True, **more):
        tool = os.environ.get("PODMAN_COMPOSE", "podman-compose")
        return command(tool, "-f", self.FILE, *arguments, check=check,
                       env={**self.environment, **more})

    def container(self, service):
        return f"{self.PROJECT}_{service}_1"

    def up(self, **more):
        begun = time.monotonic()
        self.start(**more)
        print(f"\nevery part is up within {time.monotonic() - begun:.0f} s: "
              + ", ".join(f"{service} {took:.1f}" for service, took in self.started.items()))

    def start(self, **more):
        # Without dependencies among containers, which podman 4.3 resolves only for containers started together.
        self.compose("up", "--no-start", "--no-build", "--no-deps", **more)
        met = set()
        for service in self.order():
            begun = time.monotonic()
            wanted = {other: how["condition"] for other, how in self.services[service].get("depends_on", {}).items()}
            for condition in set(wanted.items()) - met:
                self.await_condition(*condition)
            command("podman", "start", self.container(service))
            own = "service_completed_successfully" if service == "migrate" else "service_healthy"
            self.await_condition(service, own)
            met.add((service, own))
            self.started[service] = time.monotonic() - begun
        running = command("podman", "inspect", "--format", "{{.State.Running}}", self.CLIENT, check=False).stdout
        if running.strip() != "true":
            command("podman", "rm", "--force", "--ignore", self.CLIENT, check=False)
            command("podman", "run", "--detach", "--name", self.CLIENT, "--network", f"{self.PROJECT}_inside",
                    "--entrypoint", "sleep", f"localhost/{self.CLIENT}", "infinity")

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
            assert command("podman", "wait", name).stdout.strip() == "0", self.log(service)
            return
        try:
            eventually(lambda: self.healthy(service), f"{service} is healthy", START, 0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log(service)[-2000:]}") from error

    def healthy(self, service):
        return command("podman", "healthcheck", "run", self.container(service), check=False).returncode == 0

    def log(self, part):
        result = command("podman", "logs", self.container(part), check=False)
        return result.stdout + result.stderr

    def status(self):
        return command("podman", "ps", "--all", "--format", "{{.Names}} {{.Status}} {{.Ports}}").stdout

    def down(self):
        command("podman", "rm", "--force", "--time", "0", "--ignore", self.CLIENT)
        self.compose("stop", "--timeout", "40")
        # podman-compose would leave the volumes without a name.
        label = f"label=io.podman.compose.project={self.PROJECT}"
        containers = command("podman", "ps", "--all", "--quiet", "--filter", label).stdout.split()
        if containers:
            command("podman", "rm", "--force", "--volumes", *containers)
        self.compose("down", "--volumes")

    def restart(self, part):
        """By SIGKILL: nothing gets to say goodbye."""
        self.kill_and_start(self.container(part))
        self.await_condition(part, "service_healthy")
        eventually(lambda: self.is_known(part), f"the name {part} in the network", START, 2)

    def kill_and_start(self, container):
        command("podman", "kill", "--signal", "KILL", container)
        command("podman", "wait", container, check=False)
        # Its address and name are taken back before they are given again.
        command("podman", "container", "cleanup", container, check=False)
        time.sleep(2)
        command("podman", "start", container)

    def is_known(self, part):
        if command("podman", "exec", self.CLIENT, "getent", "hosts", part, check=False).returncode == 0:
            return True
        # Should aardvark-dns have died nevertheless: a container that starts brings it back.
        print(f"the network does not know {part}; its name server is started again", flush=True)
        self.kill_and_start(self.CLIENT)
        return False

    def sample(self, file, *arguments):
        out = pathlib.Path(file).parent
        out.chmod(0o777)
        self.compose("--profile", "sample-data", "run", "--rm", "--no-deps", "-T", "-v", f"{out}:/out", "sample-data",
                     "sample-data", "--emit", f"/out/{pathlib.Path(file).name}", *arguments)

    def flush(self):
        command("podman", "exec", self.container("worker-1"), "penstock", "flush", "Pipelines/conversion-reports.json",
                "batch")

    def psql(self):
        return ["podman", "exec", "-i", "-e", f"PGPASSWORD={self.environment['POSTGRES_PASSWORD']}",
                self.container("postgres"), "psql", "-h", "127.0.0.1", "-U", "penstock", "-d", "penstock", "-X", "-q"]

    def kcat(self, *arguments, **more):
        return command("podman", "exec", "-i", self.CLIENT, "kcat", "-b", "kafka:9092", *arguments, **more)

    def inspect(self, service):
        return json.loads(command("podman", "inspect", self.container(service)).stdout)[0]
