"""What only a server knows to be wrong ends `run` with one sentence, unless it worked before; the rest is `validate`'s."""

import pytest
import redis_server
from postgres_servers import PostgresPair

from stack import eventually

SENTENCE = "the files are in order, but here they can't run: "


@pytest.fixture
def postgres(real):
    """A server that asks some of its roles for a password."""
    with PostgresPair(standby=False) as server:
        server.sql(server.primary, "create role keeper superuser login password 'right'")
        hba = server.folder / "postgres" / "data" / "pg_hba.conf"
        hba.write_text("host all keeper 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
        server.sql(server.primary, "select pg_reload_conf()")
        real.environment["PENSTOCK_STORE"] = f"postgres://keeper:right@127.0.0.1:{server.primary}/penstock"
        yield server


@pytest.fixture
def redis(tmp_path):
    server = redis_server.RedisServer(tmp_path)
    server.start()
    server.cli("config", "set", "requirepass", "right")
    yield server
    server.stop()


def refused(stack, path, sentence, secret="wr0ng", **environment):
    assert stack.call("validate", path, **environment)
    result = stack.call("run", path, check=False, timeout=60, **environment)
    said = result.stdout + result.stderr
    assert result.returncode == 69, said
    assert SENTENCE in said and sentence in said and secret not in said, said


def test_postgres_refuses_for_good(real, postgres):
    path = real.write()
    real.call("migrate", path)
    host = f"127.0.0.1:{postgres.primary}"
    for url, sentence in [
            (f"postgres://keeper:wr0ng@{host}/penstock", "password authentication failed"),
            (f"postgres://keeper@{host}/penstock", "password"),
            (f"postgres://keeper:right@{host}/nowhere", 'database "nowhere" does not exist'),
            (f"postgres://nobody:wr0ng@{host}/penstock", 'role "nobody" does not exist'),
            (f"postgres://keeper:right@{host}/penstock?options=-c%20nonsense%3D1", "unrecognized configuration parameter"),
            (f"postgres://keeper:right@{host}/penstock?sslmode=require", "does not support SSL")]:
        refused(real, path, sentence, PENSTOCK_STORE=url)


def test_a_password_that_changes_under_a_running_process_is_an_outage(real, postgres):
    path = real.write()
    real.call("migrate", path)
    process = real.start(path)
    postgres.sql(postgres.primary, "alter role keeper password 'changed'",
                 "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keeper'")
    eventually(lambda: [e for e in real.logged_all(process) if "it worked before, and is tried again" in e["message"]],
               "it is said")
    assert process.poll() is None
    postgres.sql(postgres.primary, "alter role keeper password 'right'")
    eventually(lambda: [e for e in real.logged_all(process) if "takes this process again" in e["message"]], "it goes on")
    real.stop(process)


def test_redis_refuses_the_login(real, redis):
    path = real.write()
    real.call("migrate", path)
    host = f"127.0.0.1:{redis.port}"
    refused(real, path, "wrong password", PENSTOCK_CACHE=f"redis://:wr0ng@{host}/0")
    refused(real, path, "wants a password", PENSTOCK_CACHE=f"redis://{host}/0")
    refused(real, path, "has no such database", PENSTOCK_CACHE=f"redis://:right@{host}/99")


def test_kafka_refuses_the_login(real):
    def with_login(stages, document):
        document["resources"]["bus"].update({"security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN"})

    path = real.write(change=with_login)
    real.environment["PENSTOCK_BUS"] = f"kafka://user:wr0ng@{real.kafka}"
    real.call("migrate", path)
    refused(real, path, "SASL")


@pytest.mark.parametrize("resource, url, properties, reason", [
    ("bus", "kafka://localhost:99999", {}, '"localhost:99999" is not host:port'),
    ("bus", "kafka://u:s3cret@localhost:99999", {}, 'kafka://***@localhost:99999: "localhost:99999" is not host:port'),
    ("bus", "kafka://localhost:9092", {"security.protocol": "sasl_ssl"}, "sasl_ssl needs sasl.mechanisms"),
    ("bus", "kafka://localhost:9092", {"message.max.bytes": "1000000000"}, "message.max.bytes"),
    ("store", "postgres://u:s3cret@h:99999/d", {}, 'invalid port number: "99999"'),
    ("store", "postgres://u:s3cret@h/d", {"sslmode": "bogus"}, 'invalid sslmode value: "bogus"'),
    ("store", "postgres://u:s3cret@h/d", {"options": "-c bogus"}, '"options" must be like "-c name=value"'),
    ("store", "postgres://u:s3cret@h/d", {"nonsense": "1"}, 'no connection property named "nonsense"'),
    ("store", "postgres://u:s3cret@h/d", {"connections": "1"}, '"connections" must be a number from 2 to 100'),
    ("cache", "redis://:s3cret@h:99999/0", {}, '"99999" is not a port'),
    ("cache", "redis://h:6379/0", {"connections": "-1"}, "is not a number from 1 to 16"),
    ("api", "grpc://127.0.0.1:99999", {}, "a port from 0 to 65535"),
    ("api", "grpc://u:s3cret@127.0.0.1:1", {}, "no user"),
])
def test_what_can_be_known_by_reading_is_refused_by_both(embedded, resource, url, properties, reason):
    def changed(stages, document):
        document["resources"][resource] = {"url": {"$env": "ADDRESS"}, **properties}

    path = embedded.write(change=changed)
    for command in ("validate", "run"):
        result = embedded.call(command, path, check=False, timeout=60, ADDRESS=url)
        said = result.stdout + result.stderr
        assert result.returncode == 78 and reason in said and "s3cret" not in said, (command, said)
        assert properties or "the environment variable ADDRESS" in said, said


def test_white_space_and_emptiness_are_named(embedded):
    path = embedded.write()
    for value, reason in [("redis://h:6379/0 ", "PENSTOCK_CACHE begins or ends with white space")]:
        result = embedded.call("validate", path, check=False, PENSTOCK_CACHE=value)
        assert result.returncode == 78 and reason in result.stdout, result.stdout
    for value in ("redis://h:6379/0\n", ""):
        assert embedded.call("validate", path, PENSTOCK_CACHE=value)
    result = embedded.call("validate", path, check=False, MESSAGE_LIMIT_PER_CONSUMER="0")
    assert result.returncode == 78 and "MESSAGE_LIMIT_PER_CONSUMER" in result.stdout
