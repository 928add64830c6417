"""PostgreSQL servers of a test's own: two of which one can take the other's place, and poolers before them."""

import glob
import os
import pathlib
import shutil
import subprocess
import tempfile

from stack import LIMIT, ROOT, eventually, free_port

# PostgreSQL refuses to run as root.
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []


class PostgresPair:
    """A primary, and a standby that follows it."""

    def __init__(self, standby=True):
        self.has_standby = standby
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-pair-"))
        self.folder.chmod(0o755)
        self.binaries = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
        self.processes = []

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def start(self):
        started = self.servers("start")
        self.primary = int((self.folder / "postgres.port").read_text())
        assert f":{self.primary}/" in started
        if not self.has_standby:
            return self
        self.standby = free_port()
        data = self.folder / "standby"
        data.mkdir()
        if AS_POSTGRES:
            shutil.chown(data, "postgres")
        data.chmod(0o700)
        subprocess.run(
            [*AS_POSTGRES, self.binaries / "pg_basebackup", "-h", "127.0.0.1", "-p", str(self.primary), "-U", "penstock",
             "-D", data / "data", "-R", "-X", "stream", "-c", "fast"], check=True, capture_output=True, timeout=LIMIT)
        with open(self.folder / "standby.log", "w") as log:
            self.processes.append(subprocess.Popen(
                [*AS_POSTGRES, self.binaries / "postgres", "-D", data / "data", "-h", "127.0.0.1", "-p", str(self.standby),
                 "-k", data, "-c", "max_connections=800"], stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        eventually(lambda: self.sql(self.standby, "select 1", check=False) == "1", "the standby answers")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait(LIMIT)
        self.servers("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def servers(self, command):
        result = subprocess.run([ROOT / "deploy" / "test-servers", command, self.folder, "postgres"],
                                capture_output=True, text=True, timeout=LIMIT)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def url(self, *ports):
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or (self.primary, self.standby))
        return f"postgres://penstock@{hosts}/penstock"

    def sql(self, port, *statements, check=True):
        commands = [word for statement in statements for word in ("-c", statement)]
        result = subprocess.run(["psql", self.url(port), "-XAtq", *commands], capture_output=True, text=True, timeout=LIMIT)
        assert not check or result.returncode == 0, result.stderr
        return result.stdout.strip()

    def change_over(self):
        """The standby takes the primary's place. The primary keeps its sessions, and takes no writes any more."""
        self.sql(self.primary, "alter system set default_transaction_read_only = on", "select pg_reload_conf()")
        eventually(lambda: self.sql(self.primary, "show default_transaction_read_only") == "on", "the old primary is read-only")
        end = self.sql(self.primary, "select pg_current_wal_lsn()")
        eventually(
            lambda: self.sql(self.standby, f"select pg_last_wal_replay_lsn() >= '{end}'") == "t", "the standby has everything")
        self.sql(self.standby, "select pg_promote()")
