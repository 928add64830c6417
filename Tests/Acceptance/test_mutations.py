"""Damaged pipeline files: each is refused in place or works, and `run` says what `validate` says."""

import collections
import concurrent.futures
import json
import os
import re
import signal
import subprocess

import jsonschema
import pytest

from mutations import FILES, KINDS, Mutator
from stack import LIMIT, PENSTOCK, ROOT

# A machine with two cores takes no more than two programs at a time.
WORKERS = 2
SEED = int(os.environ.get("PENSTOCK_MUTATION_SEED", "5"))
SHIPPED = [(ROOT / "Pipelines" / f"{name}.json").read_text() for name in ("conversion-reports", "conversion-events")]


def environment():
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith(("PENSTOCK_", "MESSAGE_LIMIT", "BATCH_CONSUMER"))}
    # A port of the system's choice, so that the runs of this test do not meet each other.
    return {**clean, "PENSTOCK_LISTEN": "grpc://127.0.0.1:0"}


def penstock(*arguments, cwd, limit=LIMIT):
    return subprocess.run([PENSTOCK, *map(str, arguments)], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=limit)


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    """Every code that explain-error explains."""
    explained = penstock("explain-error", "--format", "json", cwd=tmp_path_factory.mktemp("codes"))
    return {entry["code"] for entry in json.loads(explained.stdout)}


def is_of_several(problem):
    """Whether it is about files that were given together, which these only are to save time."""
    return problem["code"] in ("duplicate-name", "topic-cycle") or (
        problem["code"] in ("repeated-input", "file-conflict") and re.fullmatch(r"\$\.stages\[\d+\]", problem["path"]))


def validated(folder, files):
    """What `validate` says of each of the files, as `run` would see them."""
    result = penstock("validate", "--level", "env", "--format", "json", *files, cwd=folder)
    assert result.returncode in (0, 78), f"{result.returncode}: {files[0]} to {files[-1]}\n{result.stderr}"
    found = {file: [] for file in files}
    for problem in json.loads(result.stdout)["diagnostics"]:
        if not is_of_several(problem):
            found[problem["file"]].append(problem)
    return found


def check_place(problem, data, codes):
    assert problem["code"] in codes, problem
    lines = data.split(b"\n")
    assert 1 <= problem["line"] <= len(lines), problem
    # A column is a character; what is no UTF-8 has been refused at the first wrong byte.
    width = len(lines[problem["line"] - 1].decode(errors="replace"))
    assert 1 <= problem["column"] <= width + 1, problem


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """Ten thousand files: (kinds, bytes and what `validate` says), each by name."""
    folder = tmp_path_factory.mktemp("damaged")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    mutator = Mutator(SHIPPED, SEED)
    kinds, datas = {}, {}
    for number in range(10_000):
        file = f"{number}.json"
        kinds[file], datas[file] = mutator.mutation(KINDS[number % len(KINDS)])
        (folder / file).write_bytes(datas[file])
    files = list(kinds)
    found = {}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for some in pool.map(lambda start: validated(folder, files[start:start + 250]), range(0, len(files), 250)):
            found.update(some)
    return kinds, datas, found


def test_ten_thousand_damaged_files_are_refused_in_place_or_accepted(damaged, codes):
    kinds, datas, found = damaged
    refused = collections.Counter()
    for file, problems in found.items():
        for problem in problems:
            check_place(problem, datas[file], codes)
        refused[kinds[file]] += any(problem["severity"] == "error" for problem in problems)
    total = collections.Counter(kinds.values())
    table = ", ".join(f"{kind} {refused[kind]} of {total[kind]}" for kind in KINDS)
    print(f"refused {refused.total()} of {total.total()}: {table}")
    # Where all or hardly any were refused, the mutations would have tested nothing.
    assert set(total) == set(KINDS) and all(0 < refused[kind] < total[kind] for kind in KINDS), table
    assert 7_000 < refused.total() < 9_900, table
    named = {problem["code"] for problems in found.values() for problem in problems}
    assert len(named) > 25, f"these codes only were met: {sorted(named)}"


def schema_verdicts(datas):
    """Whether the JSON Schema takes each file; None for what is no JSON."""
    schema = json.loads(penstock("schema", cwd="/").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    verdicts = []
    for data in datas:
        try:
            document = json.loads(data)
        except ValueError:
            verdicts.append(None)
            continue
        verdicts.append(validator.is_valid(document))
    return verdicts


def test_the_schema_refuses_what_validate_refuses_and_nothing_else(damaged):
    kinds, datas, found = damaged
    files = list(datas)
    parts = [files[start::WORKERS] for start in range(WORKERS)]
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        verdicts = {}
        for part, some in zip(parts, pool.map(schema_verdicts, [[datas[file] for file in part] for part in parts])):
            verdicts.update(zip(part, some))
    strict, loose, agreed, respelt = [], [], collections.Counter(), collections.Counter()
    for file, is_taken in verdicts.items():
        errors = {problem["code"] for problem in found[file] if problem["severity"] == "error"}
        if is_taken is None:
            continue
        if not is_taken and not errors:
            strict.append(f"{file}: {datas[file].decode()}")
        # What a schema can say; it knows nothing of names, of the environment, and of keys that stand twice.
        if is_taken and errors & {"unknown-key", "missing-key", "unknown-stage"}:
            loose.append(f"{file}: {errors} {datas[file].decode()}")
        agreed[is_taken, not errors] += 1
        if kinds[file] == "respell":
            respelt[is_taken, not errors] += 1
    print(f"schema and validate: {dict(agreed)}")
    assert not strict, f"{len(strict)} refused by the schema only:\n" + "\n".join(strict[:3])
    assert not loose, f"{len(loose)} taken by the schema:\n" + "\n".join(loose[:3])
    assert agreed[True, True] > 500 and agreed[False, False] > 2_000, agreed
    assert respelt[True, True] > 300 and respelt[False, False] > 50, respelt


def test_the_schema_takes_every_spelling_that_validate_takes(tmp_path):
    (tmp_path / "duration").write_text("10m")
    report = json.loads(SHIPPED[0])
    spellings = ["10m", "10 min", "10m ", " 10  m", "10min", "0h 10m", {"$file": "duration"}, {"$env": "UNSET", "default": "10 min"},
                 {"$env": "UNSET", "default": 10, "unit": "min"}]
    places = [("sla",), ("stages", 1, "window"), ("stages", 2, "lease"), ("stages", 2, "min_interval"), ("stages", 3, "timeout"),
              ("stages", 5, "ttl"), ("stages", 2, "trigger", "any", 1, "max_age"), ("stages", 2, "trigger", "any", 2, "deadline_margin")]
    datas = {}
    for place in places:
        for spelling in spellings:
            document = json.loads(json.dumps(report))
            document["stages"][2]["trigger"]["any"] = [{"max_age": "1m"}, {"max_age": "2m"}, {"deadline_margin": "1m"}]
            document["stages"][2]["lease"] = document["stages"][3]["timeout"] = "1s"
            holder = document
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]] = spelling
            datas[f"{len(datas)}.json"] = json.dumps(document).encode()
    for file, data in datas.items():
        (tmp_path / file).write_bytes(data)
    found = validated(tmp_path, list(datas))
    for (file, data), is_taken in zip(datas.items(), schema_verdicts(list(datas.values()))):
        errors = [problem for problem in found[file]
                  if problem["severity"] == "error" and problem["code"] != "sla-exceeded"]
        assert is_taken and not errors, (errors, data.decode())


def line(problem):
    """A diagnostic as it is printed."""
    hint = f"; {problem['hint']}" if "hint" in problem else ""
    path = f" {problem['path']}" if "path" in problem else ""
    return (f"{problem['file']}:{problem['line']}:{problem['column']}: {problem['severity']}[{problem['code']}]"
            f"{path}: {problem['message']}{hint}")


def run(folder, file):
    """(exit code, what was said) of `penstock run`, which is stopped as soon as it says that it runs."""
    process = subprocess.Popen(
        [PENSTOCK, "run", "--log-format", "json", "--grace", "1s", file], cwd=folder, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said, runs = [], False
    for text in process.stderr:
        said.append(text)
        if '"message":"running"' in text and not runs:
            runs = True
            process.send_signal(signal.SIGTERM)
    return process.wait(LIMIT), runs, "".join(said)


def disagreement(folder, file):
    """What `validate` and `run` do not agree on, if there is something."""
    folder.mkdir()
    (folder / file.name).write_bytes(file.read_bytes())
    checked = penstock("validate", "--level", "env", "--format", "json", file.name, cwd=folder)
    problems = json.loads(checked.stdout)["diagnostics"]
    assert [path.name for path in folder.iterdir()] == [file.name], "validate wrote files"
    code, runs, said = run(folder, file.name)
    if checked.returncode == 78:
        wanted = [line(problem) for problem in problems if problem["severity"] != "note"]
        # A message may hold a line break of its own.
        told = said.removesuffix("penstock run: nothing was started: see the errors above\n")
        return None if code == 78 and told == "".join(text + "\n" for text in wanted) else f"run {code}: {said}"
    assert checked.returncode == 0, checked
    if runs and code == 0:
        return None
    says_so = "the files are in order, but here they can't run: " in said
    return None if code == 69 and says_so else f"validate 0, run {code}: {said}"


def test_run_agrees_with_validate_on_three_hundred_damaged_files(tmp_path):
    mutator = Mutator(SHIPPED, SEED + 1)
    texts = []
    for number in range(4_000):
        texts.append(mutator.mutation(KINDS[number % len(KINDS)])[1])
        (tmp_path / f"{number}.json").write_bytes(texts[-1])
    files = [f"{number}.json" for number in range(len(texts))]
    accepted, refused = [], []
    for start in range(0, len(files), 250):
        for file, problems in validated(tmp_path, files[start:start + 250]).items():
            is_refused = any(problem["severity"] == "error" for problem in problems)
            (refused if is_refused else accepted).append(file)
    # What is accepted starts and has to be stopped again; what is refused is over at once.
    chosen = accepted[:100] + refused[:200]
    assert len(chosen) == 300, (len(accepted), len(refused))
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        wrong = [
            f"{file}: {what}\n{(tmp_path / file).read_bytes().decode(errors='replace')}"
            for file, what in zip(chosen, pool.map(
                lambda file: disagreement(tmp_path / f"run-{file}", tmp_path / file), chosen))
            if what]
    assert not wrong, f"{len(wrong)} of 300:\n" + "\n".join(wrong[:5])
