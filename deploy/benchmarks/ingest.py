#!/usr/bin/env python3
"""Requests from Kafka into the ledger, beside a plain consumer, the ledger alone and a plain insert.

Rates are records a second between 10 % and 90 % of the records; ratios are medians of each round's own ratio, since
only what ran within the same minute can be compared on a shared machine. Each measurement has a new database.
"""
import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from pathlib import Path

TOPIC = "ingest-benchmark"
BUILD = Path(os.environ.get("PENSTOCK_BUILD", "."))
LIMIT_SECONDS = 900  # for any one measurement


def note(text):
    print(text, file=sys.stderr, flush=True)


def rate_of(*command):
    """Runs a program that prints {"rate": …}."""
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=LIMIT_SECONDS)
    return json.loads(run.stdout)["rate"]


def peak_mebibytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Postgres:
    def __init__(self, url):
        self.url = url

    def run(self, sql):
        subprocess.run(
            ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url],
            check=True, timeout=LIMIT_SECONDS, env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"})

    def new_database(self, name):
        """A new database, and no checkpoint due."""
        self.run(f"drop database if exists {name} with (force)")
        self.run(f"create database {name}")
        self.run("checkpoint")
        return self.url.rsplit("/", 1)[0] + f"/{name}"

    def drop(self, name):
        self.run(f"drop database if exists {name} with (force)")


class Ingest:
    def __init__(self, options, postgres, kafka):
        self.options, self.postgres, self.kafka = options, postgres, kafka
        self.records = str(options.records)
        self.peaks = []

    def preload(self):
        self.run_tool("preload", f"kafka://{self.kafka}", TOPIC, self.records)

    def run_tool(self, *words):
        subprocess.run([BUILD / "ingest-benchmark", *words], check=True, timeout=LIMIT_SECONDS)

    def pipeline_file(self, database):
        accumulate = {"id": "batch", "type": "accumulate", "store": "store",
                      "trigger": {"max_age": "12h"}}
        path = Path(self.options.work) / "ingest.json"
        path.write_text(json.dumps({
            "version": 1, "name": "ingest", "sla": "24h",
            "resources": {"bus": {"url": f"kafka://{self.kafka}"}, "store": {"url": database}},
            "stages": [
                {"id": "requests", "type": "ingest", "codec": "report-request",
                 "from": [{"resource": "bus", "topic": TOPIC}]},
                {"id": "unique", "type": "dedupe", "key": "case_id", "window": "10m"},
                accumulate,
                {"id": "reports", "type": "generate", "generator": "conversion", "store": "store"},
                {"id": "ready", "type": "publish", "to": "bus", "topic": f"{TOPIC}-ready",
                 "key": "case_id"},
            ]}, indent=2))
        return path

    def penstock(self, _):
        database = self.postgres.new_database("ingest")
        file = self.pipeline_file(database)
        program = BUILD / "penstock"
        subprocess.run([program, "migrate", file], check=True, capture_output=True)
        with open(Path(self.options.work) / "penstock.log", "w") as log:
            process = subprocess.Popen(
                [*self.options.under, program, "run", "--log-level", "warning", file], stderr=log)
            try:
                rate = rate_of(BUILD / "ingest-benchmark", "watch", database, self.records)
                self.peaks.append(peak_mebibytes(process.pid))
            except subprocess.CalledProcessError:
                note(Path(log.name).read_text())
                raise
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
        return rate

    def consumer(self, _):
        return rate_of(BUILD / "plain-clients", "consume", self.kafka, TOPIC, self.records)

    def ledger(self, connections):
        database = self.postgres.new_database("ledger")
        return rate_of(BUILD / "ingest-benchmark", "ledger", database, self.records, str(connections))

    def insert(self, connections):
        database = self.postgres.new_database("plain")
        return rate_of(BUILD / "plain-clients", "insert", database, self.records, str(connections))


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    version = subprocess.run(["psql", "--version"], stdout=subprocess.PIPE, text=True).stdout.split()
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load": round(os.getloadavg()[0], 1), "postgresql": version[2] if len(version) > 2 else "?"}


def parse():
    parser = argparse.ArgumentParser(prog="bench ingest", description=__doc__.split("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="requests to ingest (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (%(default)s)")
    parser.add_argument("--connections", type=int, choices=(1, 2), default=1,
                        help="connections of the ledger alone and of the plain insert (%(default)s)")
    parser.add_argument("--only", help="measure only these, by name, comma between")
    parser.add_argument("--json", action="store_true", help="print the figures for machines")
    parser.add_argument("--work", default=".", help=argparse.SUPPRESS)
    parser.add_argument("--under", type=str.split, default=[], help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = parse()
    postgres = Postgres(os.environ["PENSTOCK_TEST_POSTGRES"])
    ingest = Ingest(options, postgres, os.environ["PENSTOCK_TEST_KAFKA"])
    n = options.connections
    contestants = {  # name: (what to say, what to run)
        "penstock": ("penstock run: Kafka, dedupe, ledger", ingest.penstock),
        "consumer": ("(a) plain librdkafka consumer", ingest.consumer),
        "ledger": (f"(b) the ledger's accept alone, {n} conn.", ingest.ledger),
        "insert": (f"(c) plain insert, 5 columns, {n} conn.", ingest.insert),
    }
    if options.only:
        contestants = {name: contestants[name] for name in options.only.split(",")}
    facts = machine()
    note(f"== {options.records} requests into the topic")
    ingest.preload()
    rates = {name: [] for name in contestants}
    for number in range(options.rounds):
        for name, (_, run) in contestants.items():
            rates[name].append(run(n))
            note(f"round {number + 1}: {name:9} {rates[name][-1]:10.0f} records/s")
    for name in ("ingest", "ledger", "plain"):
        postgres.drop(name)
    report(options, contestants, rates, ingest.peaks, facts)


def ratio(rates, name, base):
    if name not in rates or base not in rates:
        return None
    return statistics.median(a / b for a, b in zip(rates[name], rates[base]))


def report(options, contestants, rates, peaks, facts):
    bases = ("consumer", "ledger", "insert")
    figures = {
        "records": options.records, "rounds": options.rounds, "connections": options.connections,
        "machine": facts, "peak_mebibytes": max(peaks, default=None),
        "contestants": {
            name: {"rates": rates[name], "median": statistics.median(rates[name]),
                   "ratios": {base: ratio(rates, name, base) for base in bases}}
            for name in contestants}}
    if options.json:
        return print(json.dumps(figures, indent=2))
    print(f"\n{'':42}{'records/s':>10}{'min':>9}{'max':>9}{'/(a)':>7}{'/(b)':>7}{'/(c)':>7}")
    for name, (title, _) in contestants.items():
        cells = "".join(
            f"{value:7.2f}" if (value := ratio(rates, name, base)) else f"{'':7}" for base in bases)
        print(f"{title:42}{statistics.median(rates[name]):10.0f}"
              f"{min(rates[name]):9.0f}{max(rates[name]):9.0f}{cells}")
    if peaks:
        print(f"\npeak memory of penstock: {max(peaks):.0f} MiB (goal: under 150 MB)")
    print(f"{options.records} records, {options.rounds} rounds; {facts['processor']}, {facts['cores']} cores, "
          f"load {facts['load']} before; Linux {facts['kernel']}, PostgreSQL {facts['postgresql']} (fsync on)")


if __name__ == "__main__":
    main()
