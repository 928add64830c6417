"""Kafka, PostgreSQL and Redis that speak TLS: what works, and mistakes that are told as mistakes, at once."""

import json
import os
import shutil
import subprocess
import urllib.request
import uuid

import pytest
from certificates import Certificates
from kafka_server import KafkaServer
from postgres_servers import AS_POSTGRES, PostgresPair
from redis_server import RedisServer
from test_real import sample
from test_refusals import SENTENCE

from events import check, requests
from stack import LIMIT, eventually, free_port

TRACE = ["--arrivals", "uniform 60/h for 1h"]
# Passwords, and what every private key has in it.
SECRETS = ("s3cret", "wr0ng", "PRIVATE KEY")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


def pipeline(stack, resource, **properties):
    """The shipped pipeline, whose resource has these properties."""
    def change(stages, document):
        document["resources"][resource].update(properties)
    return stack.write(change=change)


def without_secrets(*texts):
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text], text


def call(stack, *arguments, **environment):
    """The exit code, and what was said on both streams: never a secret."""
    result = stack.call(*arguments, check=False, timeout=60, **environment)
    without_secrets(result.stdout, result.stderr)
    return result.returncode, result.stdout + result.stderr


def refused(stack, path, *sentences, **environment):
    """`dry-run` tells of the mistake, and `run` ends with it instead of waiting for it to pass."""
    code, said = call(stack, "dry-run", path, *TRACE, "--timeout", "5s", **environment)
    told = " ".join(said.split())
    assert code in (1, 69) and all(sentence in told for sentence in sentences), said
    code, said = call(stack, "run", path, **environment)
    assert code == 69 and SENTENCE in said and all(sentence in said for sentence in sentences), said


def at(resource, named):
    """How a diagnostic tells where a property stands."""
    return f'$.resources.{resource}["{named}"]:' if "." in named else f"$.resources.{resource}.{named}:"


def not_there(stack, resource, properties, named):
    """A file that is named and can't be read is a mistake in the file, at its place."""
    place = at(resource, named)
    path = pipeline(stack, resource, **properties)
    code, said = call(stack, "validate", path)
    assert code == 0 and "warning[unreadable-file]" in said and place in said, said
    for command in (["validate", "--level", "env"], ["run"], ["migrate"]):
        code, said = call(stack, *command, path)
        assert code == 78, said
        assert "error[unreadable-file]" in said and place in said, said
        assert properties[named] in said and "cannot be read" in said, said
    code, said = call(stack, "dry-run", path, *TRACE)
    assert code == 78 and place[:-1] in said and "FAIL" in said, said


def told(stack, process, words):
    """Waits until a running process has logged it, and looks that it goes on."""
    eventually(lambda: [e for e in stack.logged_all(process) if words in json.dumps(e)], words)
    assert process.poll() is None


def served(stack, process, admin):
    """What a process that runs shows to everybody: nothing secret."""
    pages = [urllib.request.urlopen(f"http://127.0.0.1:{admin}{page}", timeout=LIMIT).read().decode()
             for page in ("/metrics", "/readyz?verbose")]
    without_secrets(*pages, process.log.read_text())


class PostgresWithTLS(PostgresPair):
    """Roles: `penstock` may do without TLS, `keeper` has a password, `client` a certificate; both need TLS."""

    def __init__(self, certificates):
        super().__init__(standby=False)
        self.certificates = certificates

    def start(self):
        super().start()
        self.data = self.folder / "postgres" / "data"
        for role in ("keeper", "client"):
            self.sql(self.primary, f"create role {role} superuser login password 's3cret'")
        hba = self.data / "pg_hba.conf"
        hba.write_text("hostssl all keeper 127.0.0.1/32 scram-sha-256\nhostnossl all keeper 127.0.0.1/32 reject\n"
                       "hostssl all client 127.0.0.1/32 cert\n" + hba.read_text())
        self._give("authority.pem")
        self.sql(self.primary, f"alter system set ssl_ca_file = '{self.data}/authority.pem'")
        self.show("server")
        return self

    def _give(self, name):
        """A copy that the server's user may read, and nobody else, as PostgreSQL wants it."""
        shutil.copy(self.certificates.path(name), self.data / name)
        if AS_POSTGRES:
            shutil.chown(self.data / name, "postgres")
        (self.data / name).chmod(0o600)

    def show(self, name):
        """Has the server show that certificate."""
        self._give(f"{name}.pem")
        self._give(f"{name}.key")
        self.sql(self.primary, f"alter system set ssl_cert_file = '{self.data}/{name}.pem'",
                 f"alter system set ssl_key_file = '{self.data}/{name}.key'", "alter system set ssl = on",
                 "select pg_reload_conf()")
        eventually(lambda: self.certificates.subject_served(self.primary, "-starttls", "postgres") == name, f"{name} is shown")

    def end_sessions(self, role):
        self.sql(self.primary, f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'")


@pytest.fixture(scope="module")
def postgres(certificates):
    with PostgresWithTLS(certificates) as server:
        yield server


@pytest.fixture
def on_postgres(embedded, postgres):
    postgres.show("server")
    embedded.environment["PENSTOCK_STORE"] = f"postgres://keeper:s3cret@127.0.0.1:{postgres.primary}/penstock"
    return embedded


def verified(certificates, **more):
    return {"sslmode": "verify-full", "sslrootcert": certificates.path("authority.pem"), **more}


def test_postgres_with_the_right_authority(on_postgres, postgres, certificates):
    path, admin = pipeline(on_postgres, "store", **verified(certificates)), free_port()
    on_postgres.call("migrate", path)
    code, said = call(on_postgres, "dry-run", path, *TRACE)
    assert code == 0, said
    process = on_postgres.start(path, "--admin", f"127.0.0.1:{admin}")
    on_postgres.ready()
    sessions = postgres.sql(postgres.primary, "select distinct s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid) "
                                              "where a.usename = 'keeper' and a.application_name = 'penstock'")
    assert sessions == "t", "all sessions are encrypted"
    served(on_postgres, process, admin)
    on_postgres.stop(process)


def test_postgres_with_a_client_certificate(on_postgres, postgres, certificates):
    on_postgres.environment["PENSTOCK_STORE"] = f"postgres://client@127.0.0.1:{postgres.primary}/penstock"
    for name in ("client", "stray"):
        os.chmod(certificates.path(f"{name}.key"), 0o600)

    def with_certificate(name):
        return verified(certificates, sslcert=certificates.path(f"{name}.pem"), sslkey=certificates.path(f"{name}.key"))

    on_postgres.call("migrate", pipeline(on_postgres, "store", **with_certificate("client")))
    process = on_postgres.start(pipeline(on_postgres, "store", **with_certificate("client")))
    on_postgres.stop(process)
    refused(on_postgres, pipeline(on_postgres, "store", **with_certificate("stray")), "unknown ca", "`sslcert`")
    refused(on_postgres, pipeline(on_postgres, "store", **verified(certificates)), "certificate")
    os.chmod(certificates.path("locked.key"), 0o600)
    locked = {**with_certificate("client"), "sslkey": certificates.path("locked.key")}
    process = on_postgres.start(pipeline(on_postgres, "store", **locked, sslpassword="s3cret"))
    on_postgres.stop(process)
    without_secrets(process.log.read_text())
    refused(on_postgres, pipeline(on_postgres, "store", **locked, sslpassword="wr0ng"), "private key file", "`sslkey`")
    # Not to be read by others.
    os.chmod(certificates.path("client.key"), 0o644)
    refused(on_postgres, pipeline(on_postgres, "store", **with_certificate("client")), "private key file", "`sslkey`")
    os.chmod(certificates.path("client.key"), 0o600)


def test_postgres_that_is_not_trusted(on_postgres, postgres, certificates):
    advice = "check `sslrootcert`"
    stranger = verified(certificates, sslrootcert=certificates.path("stranger.pem"))
    refused(on_postgres, pipeline(on_postgres, "store", **stranger), "certificate verify failed", advice)
    nonsense = verified(certificates, sslrootcert=certificates.path("names"))
    refused(on_postgres, pipeline(on_postgres, "store", **nonsense), "could not read root certificate file")
    for name, sentence in (("expired", "certificate verify failed"), ("forged", "certificate verify failed"),
                           ("elsewhere", "does not match host name")):
        postgres.show(name)
        refused(on_postgres, pipeline(on_postgres, "store", **verified(certificates)), sentence, advice)


def test_postgres_with_and_without_tls_do_not_meet(on_postgres, postgres, certificates):
    refused(on_postgres, pipeline(on_postgres, "store", sslmode="disable"), "no encryption", "`sslmode`")
    postgres.sql(postgres.primary, "alter system set ssl = off", "select pg_reload_conf()")
    eventually(lambda: postgres.certificates.subject_served(postgres.primary, "-starttls", "postgres") is None, "TLS is off")
    for mode in ("require", "verify-full"):
        refused(on_postgres, pipeline(on_postgres, "store", **verified(certificates, sslmode=mode)), "does not support SSL", "`sslmode`")


def test_postgres_refuses_the_login_over_tls(on_postgres, postgres, certificates):
    path = pipeline(on_postgres, "store", **verified(certificates))
    at = f"127.0.0.1:{postgres.primary}"
    for url, sentence in [
            (f"postgres://keeper:wr0ng@{at}/penstock", "password authentication failed"),
            (f"postgres://keeper@{at}/penstock", "password"),
            (f"postgres://nobody:wr0ng@{at}/penstock", 'role "nobody" does not exist'),
            (f"postgres://keeper:s3cret@{at}/nowhere", 'database "nowhere" does not exist')]:
        refused(on_postgres, path, sentence, PENSTOCK_STORE=url)


def test_files_of_postgres_that_are_not_there(on_postgres, certificates):
    for named in ("sslrootcert", "sslcert", "sslkey"):
        not_there(on_postgres, "store", verified(certificates, **{named: "/nowhere/at-all.pem"}), named)
    not_there(on_postgres, "store", verified(certificates, sslrootcert=str(on_postgres.folder)), "sslrootcert")
    # Where nothing is encrypted, nobody needs them.
    path = pipeline(on_postgres, "store", sslmode="disable", sslrootcert="/nowhere/at-all.pem")
    assert call(on_postgres, "validate", "--level", "env", path)[0] == 0
    # The key itself instead of its file.
    path = pipeline(on_postgres, "store", **verified(certificates, sslkey={"$file": certificates.path("client.key")}))
    code, said = call(on_postgres, "validate", path)
    assert code == 78 and "the text of a file, and not its path" in said, said
    path = pipeline(on_postgres, "store", sslmode="verify-fool")
    for command in ("validate", "run"):
        code, said = call(on_postgres, command, path)
        assert code == 78 and 'invalid sslmode value: "verify-fool"' in said and "$.resources.store.sslmode:" in said, said


def test_postgres_that_changes_under_a_running_process_is_an_outage(on_postgres, postgres, certificates):
    authority = on_postgres.folder / "authority.pem"
    shutil.copy(certificates.path("authority.pem"), authority)
    path, admin = pipeline(on_postgres, "store", **verified(certificates, sslrootcert=str(authority))), free_port()
    on_postgres.call("migrate", path)
    process = on_postgres.start(path, "--admin", f"127.0.0.1:{admin}")

    postgres.show("forged")
    postgres.end_sessions("keeper")
    told(on_postgres, process, "certificate verify failed")
    told(on_postgres, process, "it worked before, and is tried again")
    postgres.show("server")
    told(on_postgres, process, "takes this process again")
    authority.unlink()
    postgres.end_sessions("keeper")
    told(on_postgres, process, "does not exist")
    authority.write_text(certificates.text("authority.pem"))
    eventually(lambda: on_postgres.call("health", "--server", f"http://127.0.0.1:{admin}/readyz", check=False).returncode == 0,
               "it goes on")
    served(on_postgres, process, admin)
    on_postgres.stop(process)


def test_postgres_that_is_away_is_waited_for(on_postgres, postgres, certificates):
    path = pipeline(on_postgres, "store", **verified(certificates))
    on_postgres.call("migrate", path)
    postgres.servers("stop")
    log = on_postgres.folder / "away.log"
    with open(log, "w") as out:
        process = subprocess.Popen(
            [os.environ["PENSTOCK"], "run", path], cwd=on_postgres.folder, env=on_postgres.environment, stdout=out, stderr=out)
    on_postgres.processes.append(process)
    eventually(lambda: "Connection refused" in log.read_text(), "the outage is told")
    postgres.servers("start")
    on_postgres.ready()
    assert process.poll() is None, log.read_text()
    process.log = log
    on_postgres.stop(process)


class KafkaWithTLS(KafkaServer):
    """Listeners: one without TLS, some with a certificate each, one that wants a password, one that wants a certificate."""

    NAMES = ("PLAINTEXT", "SERVER", "EXPIRED", "ELSEWHERE", "LOGIN", "CLIENT")

    def __init__(self, folder, certificates):
        super().__init__(folder)
        self.ports = {name: free_port() for name in (*self.NAMES, "CONTROLLER")}
        (self.folder / "kafka.port").write_text(f"{self.ports['PLAINTEXT']}\n")
        (self.folder / "controller.port").write_text(f"{self.ports['CONTROLLER']}\n")

        def addresses(names):
            return ",".join(f"{name}://127.0.0.1:{self.ports[name]}" for name in names)

        protocols = {name: "SSL" for name in self.NAMES}
        protocols.update(PLAINTEXT="PLAINTEXT", CONTROLLER="PLAINTEXT", LOGIN="SASL_SSL")
        lines = [f"listeners={addresses((*self.NAMES, 'CONTROLLER'))}", f"advertised.listeners={addresses(self.NAMES)}",
                 "listener.security.protocol.map=" + ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
                 "inter.broker.listener.name=PLAINTEXT",
                 "listener.name.login.sasl.enabled.mechanisms=PLAIN",
                 "listener.name.login.plain.sasl.jaas.config="
                 'org.apache.kafka.common.security.plain.PlainLoginModule required user_keeper="s3cret";',
                 "listener.name.client.ssl.client.auth=required"]
        for name in self.NAMES[1:]:
            shown = name.lower() if name in ("EXPIRED", "ELSEWHERE") else "server"
            store = self.folder / f"{shown}.pem"
            store.write_text(certificates.text(f"{shown}.key", f"{shown}.pem"))
            prefix = f"listener.name.{name.lower()}.ssl."
            lines += [f"{prefix}keystore.type=PEM", f"{prefix}keystore.location={store}",
                      f"{prefix}truststore.type=PEM", f"{prefix}truststore.location={certificates.path('authority.pem')}"]
        self.properties = "\n".join(lines)

    def url(self, listener, login=""):
        return f"kafka://{login}127.0.0.1:{self.ports[listener]}"


@pytest.fixture(scope="module")
def kafka(certificates, tmp_path_factory):
    server = KafkaWithTLS(tmp_path_factory.mktemp("kafka"), certificates)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def on_kafka(embedded, kafka):
    embedded.environment["PENSTOCK_BUS"] = kafka.url("SERVER")
    # For the test's own clients.
    embedded.kafka = f"127.0.0.1:{kafka.ports['PLAINTEXT']}"
    return embedded


def over_tls(certificates, **more):
    return {"security.protocol": "ssl", "ssl.ca.location": certificates.path("authority.pem"), **more}


def test_kafka_with_the_right_authority(on_kafka, kafka, certificates):
    events = sample(on_kafka)
    path, admin = pipeline(on_kafka, "bus", **over_tls(certificates)), free_port()
    code, said = call(on_kafka, "dry-run", path, *TRACE)
    assert code == 0 and "1 broker" in said, said
    process = on_kafka.start(path, "--admin", f"127.0.0.1:{admin}")
    on_kafka.ready()
    wanted = requests(events, 1, seed=11)[0]
    on_kafka.produce("report-requests", [(None, json.dumps(wanted).encode(), [])])
    eventually(lambda: on_kafka.call("case", path, wanted["case_id"], check=False).returncode == 0, "it is accepted")
    on_kafka.call("flush", path, "batch")
    check(on_kafka.api()("WaitReport", case_id=wanted["case_id"], timeout="60s")["report"], wanted, events)
    [announced] = on_kafka.consume("report-ready", 1)
    assert json.loads(announced.value())["case_id"] == wanted["case_id"]
    served(on_kafka, process, admin)
    on_kafka.stop(process)


def test_kafka_with_a_login_over_tls(on_kafka, kafka, certificates):
    login = over_tls(certificates)
    del login["security.protocol"]
    path, admin = pipeline(on_kafka, "bus", **login), free_port()
    on_kafka.environment["PENSTOCK_BUS"] = kafka.url("LOGIN", "keeper:s3cret@")
    process = on_kafka.start(path, "--admin", f"127.0.0.1:{admin}")
    on_kafka.ready()
    served(on_kafka, process, admin)
    on_kafka.stop(process)
    for wrong in ("keeper:wr0ng@", "nobody:s3cret@"):
        refused(on_kafka, path, "check the user, the password", PENSTOCK_BUS=kafka.url("LOGIN", wrong))


def test_kafka_with_a_client_certificate(on_kafka, kafka, certificates):
    on_kafka.environment["PENSTOCK_BUS"] = kafka.url("CLIENT")

    def with_certificate(name):
        return over_tls(certificates, **{"ssl.certificate.location": certificates.path(f"{name}.pem"),
                                         "ssl.key.location": certificates.path(f"{name}.key")})

    process = on_kafka.start(pipeline(on_kafka, "bus", **with_certificate("client")))
    on_kafka.ready()
    on_kafka.stop(process)
    refused(on_kafka, pipeline(on_kafka, "bus", **with_certificate("stray")), "alert", "ssl.certificate.location")
    refused(on_kafka, pipeline(on_kafka, "bus", **over_tls(certificates)), "alert", "ssl.certificate.location")
    locked = {**with_certificate("client"), "ssl.key.location": certificates.path("locked.key")}
    process = on_kafka.start(pipeline(on_kafka, "bus", **locked, **{"ssl.key.password": "s3cret"}))
    on_kafka.ready()
    on_kafka.stop(process)
    without_secrets(process.log.read_text())
    refused(on_kafka, pipeline(on_kafka, "bus", **locked, **{"ssl.key.password": "wr0ng"}), "ssl.key.location")


def test_kafka_that_is_not_trusted(on_kafka, kafka, certificates):
    stranger = over_tls(certificates, **{"ssl.ca.location": certificates.path("stranger.pem")})
    refused(on_kafka, pipeline(on_kafka, "bus", **stranger), "certificate verify failed", "ssl.ca.location")
    for listener in ("EXPIRED", "ELSEWHERE"):
        refused(on_kafka, pipeline(on_kafka, "bus", **over_tls(certificates)), "certificate verify failed", "expired",
                PENSTOCK_BUS=kafka.url(listener))
    nonsense = over_tls(certificates, **{"ssl.ca.location": certificates.path("names")})
    refused(on_kafka, pipeline(on_kafka, "bus", **nonsense), "ssl.ca.location")


def test_kafka_with_and_without_tls_do_not_meet(on_kafka, kafka, certificates):
    # Both just hang up, as a broker may that is only out of order: an outage, whose line says what it may be.
    for properties, listener, hint in [({}, "SERVER", "security.protocol"), (over_tls(certificates), "PLAINTEXT", "listener with TLS")]:
        on_kafka.environment["PENSTOCK_BUS"] = kafka.url(listener)
        path = pipeline(on_kafka, "bus", **properties)
        code, said = call(on_kafka, "dry-run", path, *TRACE, "--timeout", "5s")
        assert code == 69 and hint in " ".join(said.split()), said
        process = on_kafka.start(path)
        told(on_kafka, process, hint)
        on_kafka.stop(process)


def test_an_authority_of_kafka_that_is_gone_while_it_runs_is_an_outage(on_kafka, kafka, certificates):
    authority, admin = on_kafka.folder / "authority.pem", free_port()
    shutil.copy(certificates.path("authority.pem"), authority)
    process = on_kafka.start(pipeline(on_kafka, "bus", **over_tls(certificates, **{"ssl.ca.location": str(authority)})),
                             "--admin", f"127.0.0.1:{admin}")
    on_kafka.ready()
    authority.unlink()
    kafka.stop()
    eventually(lambda: [e for e in on_kafka.logged_all(process) if e["level"] in ("warning", "error")], "the outage is told")
    kafka.start()
    authority.write_text(certificates.text("authority.pem"))
    eventually(lambda: on_kafka.call("health", "--server", f"http://127.0.0.1:{admin}/readyz", check=False).returncode == 0,
               "it goes on")
    assert process.poll() is None
    on_kafka.stop(process)


def test_files_of_kafka_that_are_not_there(on_kafka, certificates):
    for named in ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location"):
        not_there(on_kafka, "bus", over_tls(certificates, **{named: "/nowhere/at-all.pem"}), named)
    path = pipeline(on_kafka, "bus", **{"ssl.ca.location": "/nowhere/at-all.pem"})
    assert call(on_kafka, "validate", "--level", "env", path)[0] == 0
    for named, value in (("security.protocol", "sssl"), ("ssl.endpoint.identification.algorithm", "some")):
        path = pipeline(on_kafka, "bus", **over_tls(certificates, **{named: value}))
        for command in ("validate", "run"):
            code, said = call(on_kafka, command, path)
            assert code == 78 and at("bus", named) in said, said


class RedisWithTLS(RedisServer):
    """A port without TLS, for the test, and one with it; a user with a password; client certificates where they are asked for."""

    def __init__(self, folder, certificates):
        super().__init__(folder)
        self.certificates = certificates
        self.tls = free_port()

    def start(self, shown="server", clients="no"):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--tls-port", str(self.tls), "--bind", "127.0.0.1", "--save", "",
             "--dir", str(self.folder), "--tls-auth-clients", clients, *self.showing(shown),
             "--tls-ca-cert-file", self.certificates.path("authority.pem"),
             "--user", "default", "on", "nopass", "~*", "&*", "+@all",
             "--user", "keeper", "on", ">s3cret", "~*", "+@all"], stdout=subprocess.DEVNULL)
        eventually(lambda: self.cli("ping") == ["PONG"], "Redis answers")
        return self

    def showing(self, name):
        return ["--tls-cert-file", self.certificates.path(f"{name}.pem"), "--tls-key-file", self.certificates.path(f"{name}.key")]

    def url_with_tls(self, login="keeper:s3cret@", database=0):
        return f"rediss://{login}127.0.0.1:{self.tls}/{database}"


@pytest.fixture
def redis(certificates, tmp_path):
    server = RedisWithTLS(tmp_path, certificates)
    yield server
    if server.process and server.process.poll() is None:
        server.stop()


@pytest.fixture
def on_redis(embedded, redis):
    embedded.environment["PENSTOCK_CACHE"] = redis.url_with_tls()
    return embedded


def asked(stack, process, words):
    """Asks for reports, for which the cache is asked first, until the log has the words."""
    def ask():
        code, said = call(stack, "report", "get", "--server", f"127.0.0.1:{stack.port}", str(uuid.uuid4()))
        assert code == 1 and "NOT_FOUND" in said, said
        return [e for e in stack.logged_all(process) if words in json.dumps(e)]

    eventually(ask, words)
    assert process.poll() is None


def trusting(certificates, **more):
    return {"tls_ca_cert_file": certificates.path("authority.pem"), **more}


def test_redis_with_the_right_authority(on_redis, redis, certificates):
    redis.start()
    events = sample(on_redis)
    path, admin = pipeline(on_redis, "cache", **trusting(certificates)), free_port()
    code, said = call(on_redis, "dry-run", path, *TRACE)
    assert code == 0 and "Redis 7" in said, said
    process = on_redis.start(path, "--admin", f"127.0.0.1:{admin}")
    wanted = requests(events, 1, seed=5)[0]
    api = on_redis.api()
    api("CreateReport", request=wanted)
    on_redis.call("flush", path, "batch")
    check(api("WaitReport", case_id=wanted["case_id"], timeout="60s")["report"], wanted, events)
    eventually(redis.keys, "the report is in the cache")
    served(on_redis, process, admin)
    # Large values come in many pieces.
    on_redis.stop(process)


def test_redis_with_a_client_certificate(on_redis, redis, certificates):
    redis.start(clients="yes")

    def with_certificate(name):
        return trusting(certificates, tls_cert_file=certificates.path(f"{name}.pem"), tls_key_file=certificates.path(f"{name}.key"))

    process = on_redis.start(pipeline(on_redis, "cache", **with_certificate("client")))
    on_redis.ready()
    on_redis.stop(process)
    refused(on_redis, pipeline(on_redis, "cache", **with_certificate("stray")), "unknown ca", "tls_cert_file")
    refused(on_redis, pipeline(on_redis, "cache", **trusting(certificates)), "certificate required", "tls_cert_file")
    for key, reason in (("stray", "key values mismatch"), ("locked", "")):
        other = {**with_certificate("client"), "tls_key_file": certificates.path(f"{key}.key")}
        refused(on_redis, pipeline(on_redis, "cache", **other), f"tls_key_file can't be used: {reason}")


@pytest.mark.parametrize("shown, reason", [
    ("expired", "certificate has expired"), ("elsewhere", "IP address mismatch"), ("forged", "unable to get local issuer certificate")])
def test_redis_that_is_not_trusted(on_redis, redis, certificates, shown, reason):
    redis.start(shown)
    refused(on_redis, pipeline(on_redis, "cache", **trusting(certificates)), "certificate verify failed", reason, "tls_ca_cert_file")
    if shown == "elsewhere":
        process = on_redis.start(pipeline(on_redis, "cache", **trusting(certificates, tls_server_name="elsewhere.example")))
        on_redis.ready()
        on_redis.stop(process)


def test_redis_with_another_authority(on_redis, redis, certificates):
    redis.start()
    stranger = {"tls_ca_cert_file": certificates.path("stranger.pem")}
    refused(on_redis, pipeline(on_redis, "cache", **stranger), "certificate verify failed")
    refused(on_redis, pipeline(on_redis, "cache"), "certificate verify failed")
    nonsense = {"tls_ca_cert_file": certificates.path("names")}
    refused(on_redis, pipeline(on_redis, "cache", **nonsense), "tls_ca_cert_file can't be used")


def test_redis_with_and_without_tls_do_not_meet(on_redis, redis, certificates):
    redis.start()
    path = pipeline(on_redis, "cache", **trusting(certificates))
    # One hangs up, the other waits for the end of a command that has none: as a server may that is only out of order.
    for url, hint in ((f"redis://127.0.0.1:{redis.tls}/0", "a port with TLS is for rediss://"),
                      (f"rediss://127.0.0.1:{redis.port}/0", "is that a port with TLS?")):
        on_redis.environment["PENSTOCK_CACHE"] = url
        code, said = call(on_redis, "dry-run", path, *TRACE)
        assert code == 69 and hint in " ".join(said.split()), said
        process = on_redis.start(path)
        asked(on_redis, process, hint)
        on_redis.stop(process)


def test_redis_refuses_the_login_over_tls(on_redis, redis, certificates):
    redis.start()
    path = pipeline(on_redis, "cache", **trusting(certificates))
    refused(on_redis, path, 'wrong password for the user "keeper"', PENSTOCK_CACHE=redis.url_with_tls("keeper:wr0ng@"))
    refused(on_redis, path, "or no such user", PENSTOCK_CACHE=redis.url_with_tls("nobody:wr0ng@"))
    refused(on_redis, path, "has no such database", PENSTOCK_CACHE=redis.url_with_tls(database=99))
    redis.cli("config", "set", "requirepass", "s3cret")
    refused(on_redis, path, "wants a password", PENSTOCK_CACHE=redis.url_with_tls(""))


def test_files_of_redis_that_are_not_there(on_redis, certificates):
    pair = {f"tls_{part}_file": certificates.path(f"client.{end}") for part, end in (("cert", "pem"), ("key", "key"))}
    for named in ("tls_ca_cert_file", "tls_cert_file", "tls_key_file"):
        not_there(on_redis, "cache", trusting(certificates, **{**pair, named: "/nowhere/at-all.pem"}), named)
    for half in pair:
        code, said = call(on_redis, "validate", pipeline(on_redis, "cache", **{half: pair[half]}))
        assert code == 78 and "tls_cert_file" in said and "tls_key_file" in said, said
    path = pipeline(on_redis, "cache", tls_ca_cert_file="/nowhere/at-all.pem")
    assert call(on_redis, "validate", "--level", "env", path, PENSTOCK_CACHE="redis://h/0")[0] == 0


def test_redis_that_changes_under_a_running_process_costs_hits_only(on_redis, redis, certificates):
    redis.start()
    path, admin = pipeline(on_redis, "cache", **trusting(certificates)), free_port()
    process = on_redis.start(path, "--admin", f"127.0.0.1:{admin}")
    on_redis.ready()
    redis.stop()
    redis.start("forged")
    asked(on_redis, process, "certificate verify failed")
    served(on_redis, process, admin)
    redis.stop()
    redis.start()
    asked(on_redis, process, "works again")
    on_redis.stop(process)
