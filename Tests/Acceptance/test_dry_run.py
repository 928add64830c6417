"""`penstock dry-run` beside real servers: it tells what is there, and changes nothing."""

import json
import re
import shutil
import socket
import subprocess

import confluent_kafka
import confluent_kafka.admin
import redis_server

from stack import LIMIT, PENSTOCK, eventually, free_port

OFFLINE_TRACE = ["--arrivals", "uniform 60/h for 1h"]


def dry_run(stack, *arguments, **more):
    """The exit code and the entries of the connect step, by subject."""
    result = stack.call("dry-run", "--format", "json", *OFFLINE_TRACE, *arguments, check=False, **more)
    assert "Traceback" not in result.stderr and not result.stderr, result.stderr
    report = json.loads(result.stdout)
    assert report["exit_code"] == result.returncode
    return result.returncode, {c["subject"]: c for c in report["checks"] if c["step"] == "connect"}


def everything_in_kafka(stack):
    """Topics with their ends, and groups with their offsets, as another program sees them."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": stack.kafka})
    consumer = confluent_kafka.Consumer({"bootstrap.servers": stack.kafka, "group.id": "nobody"})
    topics = {}
    # Other tests share the broker; theirs have other suffixes.
    for name, topic in admin.list_topics(timeout=LIMIT).topics.items():
        if stack.suffix in name:
            topics[name] = [
                consumer.get_watermark_offsets(confluent_kafka.TopicPartition(name, p), LIMIT)
                for p in sorted(topic.partitions)]
    consumer.close()
    groups = {}
    for group in admin.list_consumer_groups().result().valid:
        offsets = admin.list_consumer_group_offsets(
            [confluent_kafka.ConsumerGroupTopicPartitions(group.group_id)])
        partitions = offsets[group.group_id].result(LIMIT).topic_partitions
        own = {(p.topic, p.partition): p.offset for p in partitions if stack.suffix in p.topic}
        if own:
            groups[group.group_id] = own
    return topics, groups


def everything_in_postgres(stack):
    tables = stack.sql(
        "select format('%I.%I', schemaname, tablename) from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema') order by 1")
    rows = {table: stack.sql(f"select count(*), md5(string_agg(t::text, ',' order by t::text)) from {table} t")
            for [table] in tables}
    # Nothing that wrote has taken a number: no transaction has.
    return rows, stack.sql("select pg_current_xact_id_if_assigned() is null")


def everything(stack):
    return everything_in_kafka(stack), everything_in_postgres(stack)


def test_before_anything_is_there_it_says_what_is_missing_and_makes_none_of_it(real):
    before = everything(real)
    code, found = dry_run(real, real.write())
    assert code == 1
    topic = real.topic("report-requests")
    assert found[f"bus: topic {topic}"]["status"] == "ok"
    assert found[f"bus: topic {topic}"]["detail"] == "not there: `run` creates it with 3 partitions"
    for subject in ("store: ledger", "store: events and reports"):
        assert found[subject]["status"] == "FAIL" and found[subject]["hint"] == "run `penstock migrate`"
    assert found["api"]["status"] == found["cache"]["status"] == "ok"
    assert everything(real) == before
    assert before[0][0] == {} and before[1][0] == {}


def test_with_all_in_place_it_is_content_and_moves_nothing(real):
    path = real.write()
    real.call("migrate", path)
    process = real.start(path)
    # The broker would create it with one partition for whoever writes first.
    topic = real.topic("report-requests")
    eventually(lambda: len(everything_in_kafka(real)[0].get(topic, [])) == 3, "the pipeline has made its topic")
    # Something to be consumed, and something left over.
    real.produce("report-requests", [(None, b"nonsense", [])])
    real.consume("report-requests.dead-letters", count=1)
    real.stop(process)
    real.produce("report-requests", [(None, b"later", [])] * 5)
    before = everything(real)
    code, found = dry_run(real, path)
    assert code == 0, found
    assert found[f"bus: topic {topic}"]["detail"] == "3 partitions"
    assert found["store: ledger of batch"]["detail"] == "this rule is in force, as revision 1"
    assert {c["status"] for c in found.values()} == {"ok"}
    assert everything(real) == before
    assert sum(high for _, high in before[0][0][topic]) == 6


def test_a_topic_that_nobody_creates(real):
    def uncreated(stages, document):
        del stages["requests"]["from"][0]["create"]

    path = real.write(change=uncreated)
    real.call("migrate", path)
    for _ in range(2):
        _, found = dry_run(real, path)
        topic = found[f"bus: topic {real.topic('report-requests')}"]
        # The broker for tests creates topics by itself, but not because somebody looks.
        assert topic["detail"] == "not there: the broker creates it when somebody writes to it"


def test_servers_that_are_gone_are_all_named_and_the_exit_code_is_69(real):
    path = real.write()
    gone = free_port()
    result = real.call(
        "dry-run", path, "--timeout", "10s", *OFFLINE_TRACE, check=False, PENSTOCK_BUS=f"kafka://127.0.0.1:{gone}",
        PENSTOCK_STORE=f"postgres://penstock:s3cret@127.0.0.1:{gone}/penstock",
        PENSTOCK_CACHE=f"redis://:s3cret@127.0.0.1:{gone}/0", PENSTOCK_GENERATOR=f"grpc://127.0.0.1:{gone}")
    assert result.returncode == 69, result.stdout
    failed = [line for line in result.stdout.splitlines() if re.search(r"\bFAIL\b", line)]
    assert len(failed) == 4 and all("refused" in line for line in failed), result.stdout
    assert re.search(r"SKIP +topic report-requests\S* +not looked at: bus can't be reached", result.stdout)
    assert "s3cret" not in result.stdout + result.stderr


def test_a_wrong_password_is_a_mistake_and_is_not_shown(real, tmp_path):
    redis = redis_server.RedisServer(tmp_path)
    redis.start()
    try:
        redis.cli("config", "set", "requirepass", "right")
        path = real.write()
        real.call("migrate", path)
        result = real.call("dry-run", path, *OFFLINE_TRACE, check=False,
                           PENSTOCK_CACHE=f"redis://:wr0ng@127.0.0.1:{redis.port}/0")
    finally:
        redis.stop()
    assert result.returncode == 1, result.stdout
    assert re.search(r"FAIL +cache .*refuses the login: wrong password", result.stdout), result.stdout
    assert "wr0ng" not in result.stdout + result.stderr


def test_a_busy_listen_address_names_who_is_there(real):
    path = real.write()
    real.call("migrate", path)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", real.port))
        busy.listen()
        code, found = dry_run(real, path)
    assert code == 1
    assert found["api"]["status"] == "FAIL"
    assert "Address already in use, by process" in found["api"]["detail"]
    code, found = dry_run(real, path)
    assert code == 0 and found["api"]["status"] == "ok"


def test_another_rule_under_the_same_revision(real):
    def numbered(count):
        def change(stages, document):
            stages["batch"].update(revision=5, max_batch=count)
        return change

    real.call("migrate", real.write())
    process = real.start(real.write(change=numbered(512)))
    eventually(lambda: real.sql("select 1 from penstock.stages where revision = 5"), "its rule is in force")
    real.stop(process)
    code, found = dry_run(real, real.write(change=numbered(100)))
    assert code == 1
    assert found["store: ledger of batch"]["detail"] == "another rule is in force under the same revision, 5"


def test_a_generator_elsewhere(real):
    port = free_port()
    path = real.write()
    real.call("migrate", path)
    real.start("--listen", f"grpc://127.0.0.1:{port}", "--store", real.environment["PENSTOCK_STORE"],
               command="generate", serving=False)
    code, found = dry_run(real, path, PENSTOCK_GENERATOR=f"grpc://127.0.0.1:{port}")
    assert code == 0, found
    assert found[f"reports: generator 127.0.0.1:{port}"]["detail"] == "is serving"


def snapshot(folder):
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.rglob("*"))}


def test_on_a_disk_it_makes_no_file_and_names_who_runs(embedded):
    path = embedded.write()
    before = snapshot(embedded.folder)
    code, found = dry_run(embedded, path)
    assert code == 0 and found["bus, store"]["detail"] == "embedded:data/penstock.sqlite: will be created"
    assert snapshot(embedded.folder) == before
    process = embedded.start(path)
    embedded.ready()
    seen = []

    def begun():
        """Whoever has just begun writes where it reads from: until nothing is written any more."""
        seen.append({name: found for name, found in snapshot(embedded.folder).items() if name != str(process.log)})
        return len(seen) > 1 and seen[-1] == seen[-2]
    eventually(begun, "it waits for requests", every=1)
    before = snapshot(embedded.folder)
    code, found = dry_run(embedded, path)
    assert code == 1
    assert found["bus, store: run lock"]["detail"] == f"is held by process {process.pid} (penstock run)"
    assert f"by process {process.pid} (penstock)" in found["api"]["detail"]
    after = snapshot(embedded.folder)
    before.pop(str(process.log)), after.pop(str(process.log))
    assert after == before
    embedded.stop(process)
    before = snapshot(embedded.folder)
    code, found = dry_run(embedded, path)
    assert code == 0 and {c["status"] for c in found.values()} == {"ok"}
    assert snapshot(embedded.folder) == before


def opened(trace):
    """What a trace of system calls shows of files (not the program's own libraries and the kernel's) and sockets."""
    calls = [line for line in trace.read_text().splitlines() if "= -1 ENOENT" not in line]
    files = {m[1] for line in calls if (m := re.search(r'open(?:at)?\(.*?"([^"]*)"', line))}
    system = ("/etc/ld.so", "/lib", "/usr", "/opt", "/proc", "/sys", "/dev", "/root", "/home", "/work")
    sockets = [line for line in calls if re.search(r"\b(socket|connect|bind|sendto)\(", line)]
    written = [line for line in calls
               if re.search(r"O_WRONLY|O_RDWR|O_CREAT|\b(mkdir|unlink|rename|flock)", line) and "/dev/null" not in line]
    return {f for f in files if not f.startswith(system)}, sockets, written


def test_offline_it_touches_nothing(real, tmp_path):
    strace = shutil.which("strace")
    assert strace, "strace is not there: deploy/install brings it"
    path = real.write()
    trace = tmp_path / "trace"

    def traced(*arguments):
        result = subprocess.run(
            [strace, "-f", "-qq", "-e", "trace=%network,%file,flock", "-o", str(trace), PENSTOCK, "dry-run", path,
             *OFFLINE_TRACE, *arguments],
            cwd=real.folder, env=real.environment, capture_output=True, text=True, timeout=LIMIT)
        return result, *opened(trace)

    result, files, sockets, written = traced("--offline")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"connect +SKIP +not asked: --offline", result.stdout)
    assert files == {path} and sockets == [] and written == []
    # The same look finds what is opened without the option: it is not blind.
    _, _, sockets, _ = traced()
    assert sockets
    strictly = real.call("dry-run", "--offline", "--strict", path, *OFFLINE_TRACE, check=False)
    assert strictly.returncode == 1
