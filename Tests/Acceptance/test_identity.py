"""Who may what: tokens and JWTs at the API and at the admin service, with PyJWT as the issuer."""

import base64
import hashlib
import hmac
import itertools
import json
import os
import secrets
import signal
import time
import urllib.request
import uuid

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from stack import LIMIT, Reflected, Stack, eventually, free_port

MONTH = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z"}
ISSUER, AUDIENCE = "https://id.example", "penstock"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Has a key of each kind, and signs with them."""

    def __init__(self):
        self.keys = {
            "rsa": (rsa.generate_private_key(65537, 2048), "RS256"),
            "ec": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
            "ed": (ed25519.Ed25519PrivateKey.generate(), "EdDSA")}

    def published(self, *names):
        makers = {"rsa": jwt.algorithms.RSAAlgorithm, "ec": jwt.algorithms.ECAlgorithm, "ed": jwt.algorithms.OKPAlgorithm}
        return {"keys": [
            json.loads(makers[name].to_jwk(self.keys[name][0].public_key())) | {"kid": name, "use": "sig"}
            for name in names or self.keys]}

    def token(self, name="ed", key=None, algorithm=None, header=None, without=(), **claims):
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "role": "reader", "exp": int(time.time()) + 600} | claims
        claims = {claim: value for claim, value in claims.items() if claim not in without}
        return jwt.encode(
            claims, key or self.keys[name][0], algorithm=algorithm or self.keys[name][1], headers={"kid": name} | (header or {}))


class Guarded:
    """A process that asks callers who they are, and what they show."""

    def __init__(self, stack, *options):
        self.stack, self.issuer = stack, Issuer()
        self.file, self.jwks = stack.folder / "tokens.json", stack.folder / "jwks.json"
        self.jwks.write_text(json.dumps(self.issuer.published()))
        self.tokens = {role: self.token("ada", role) for role in ("requester", "reader", "operator", "admin")}
        self.tokens["bob"] = self.token("bob", "requester")
        self.path = stack.write(change=self.rule)
        stack.call("migrate", self.path)
        self.admin_port = free_port()
        self.process = stack.start("--admin", f"127.0.0.1:{self.admin_port}", *options, self.path)
        stack.ready()
        self.known = Reflected(f"127.0.0.1:{stack.port}")

    def rule(self, stages, document):
        stages["batch"]["trigger"] = {"any": [{"max_age": "10m"}, {"manual": True}]}
        stages["batch"] |= {"poll": "100ms", "min_interval": "1ms"}
        document["resources"]["api"] |= {"tokens": str(self.file), "jwt": {
            "jwks": str(self.jwks), "issuer": ISSUER, "audience": AUDIENCE}}

    def token(self, subject, role, *options):
        return self.stack.call(
            "token", "create", "--file", self.file, "--subject", subject, "--role", role, *options).stdout.strip()

    def call(self, token, method, **fields):
        """The answer, or the status's name."""
        from google.protobuf import json_format
        metadata = [("authorization", token if " " in token else f"Bearer {token}")] if token else None
        try:
            response = self.known.methods[method][1](self.known.request(method, fields), timeout=LIMIT, metadata=metadata)
        except grpc.RpcError as error:
            self.refused = error
            return error.code().name
        return json_format.MessageToDict(response, preserving_proto_field_name=True)

    def create(self, requester=None):
        case_id = str(uuid.uuid4())
        request = {"case_id": case_id, "product_id": f"p-{case_id[:8]}", "period": MONTH}
        answer = self.call(self.tokens["operator"], "CreateReport", request=request | ({"requester": requester} if requester else {}))
        assert answer["case_id"] == case_id, answer
        return case_id

    def finish(self, *case_ids):
        self.stack.call("flush", self.path, "batch")
        for case_id in case_ids:
            answer = self.call(self.tokens["operator"], "WaitReport", case_id=case_id, timeout="60s")
            assert "report" in answer, answer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("guarded"), servers=False)
    yield Guarded(stack)
    stack.close()


@pytest.fixture
def guarded_real(real):
    return Guarded(real)


# What each role is answered: for a case of its own subject, and for one of somebody else.
ALLOWED, UNKNOWN, DENIED, NOBODY = "allowed", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"
TABLE = {
    "requester": {"CreateReport": (ALLOWED, DENIED), "BatchCreateReports": (ALLOWED, DENIED), "GetReport": (ALLOWED, UNKNOWN), "WaitReport": (ALLOWED, UNKNOWN),
                  "BatchGetReports": (ALLOWED, UNKNOWN), "CancelReport": (ALLOWED, UNKNOWN),
                  "RefreshReport": (ALLOWED, UNKNOWN), "ListReports": (ALLOWED, DENIED)},
    "reader": {"CreateReport": (DENIED, DENIED), "BatchCreateReports": (DENIED, DENIED), "GetReport": (ALLOWED, ALLOWED), "WaitReport": (ALLOWED, ALLOWED),
               "BatchGetReports": (ALLOWED, ALLOWED), "CancelReport": (DENIED, DENIED),
               "RefreshReport": (DENIED, DENIED), "ListReports": (ALLOWED, ALLOWED)},
    "operator": {"CreateReport": (ALLOWED, ALLOWED), "BatchCreateReports": (ALLOWED, ALLOWED), "GetReport": (ALLOWED, ALLOWED), "WaitReport": (ALLOWED, ALLOWED),
                 "BatchGetReports": (ALLOWED, ALLOWED), "CancelReport": (ALLOWED, ALLOWED),
                 "RefreshReport": (ALLOWED, ALLOWED), "ListReports": (ALLOWED, ALLOWED)},
}
TABLE["admin"] = TABLE["operator"]
TABLE["nobody"] = TABLE["forged"] = {method: (NOBODY, NOBODY) for method in TABLE["reader"]}
CELLS = [(role, method, whose) for role in TABLE for method in TABLE[role] for whose in ("own", "other's")]


def meets_the_table(guarded, role, method, whose):
    expected = TABLE[role][method][whose == "other's"]
    requester = "ada" if whose == "own" else "bob"
    token = guarded.tokens["requester"][:-1] + "x" if role == "forged" else guarded.tokens.get(role)
    if method in ("CreateReport", "BatchCreateReports"):
        case_id = str(uuid.uuid4())
        request = {"case_id": case_id, "product_id": "p", "period": MONTH, "requester": requester}
        answer = guarded.call(token, method, **({"request": request} if method == "CreateReport" else {"requests": [request]}))
        if method == "BatchCreateReports" and isinstance(answer, dict):
            # One that is refused is told of in its place.
            answer = answer["reports"][0]
            assert answer.get("error", {}).get("code", ALLOWED) == expected, answer
            return
    else:
        case_id = guarded.create(requester)
        more = {"timeout": "0.001s"} if method == "WaitReport" else {}
        named = {"BatchGetReports": {"case_ids": [case_id]}, "ListReports": {"requester": requester, "page_size": 1}}
        answer = guarded.call(token, method, **named.get(method, {"case_id": case_id}), **more)
    if method in ("BatchGetReports", "ListReports") and isinstance(answer, dict):
        if expected == UNKNOWN:
            assert answer == {"unknown_case_ids": [case_id]}, answer
            return
        answer = answer["reports"][0]
    if expected == ALLOWED:
        assert answer["case_id"] == case_id, answer
        return
    assert answer == expected, answer
    reason = "UNKNOWN_CASE" if expected == UNKNOWN else expected
    details = dict(guarded.refused.trailing_metadata())["grpc-status-details-bin"]
    assert reason.encode() in details and b"penstock" in details, details


@pytest.mark.parametrize("role,method,whose", CELLS)
def test_the_table(guarded, role, method, whose):
    meets_the_table(guarded, role, method, whose)


def test_the_table_on_servers(guarded_real):
    for cell in CELLS:
        meets_the_table(guarded_real, *cell)


def test_a_case_that_did_not_succeed_is_opened_again_by_its_requester_alone(guarded):
    case_id = guarded.create("bob")
    guarded.call(guarded.tokens["bob"], "CancelReport", case_id=case_id)
    request = {"case_id": case_id, "product_id": f"p-{case_id[:8]}", "period": MONTH}
    assert guarded.call(guarded.tokens["requester"], "CreateReport", request=request) == "ALREADY_EXISTS"
    answer = guarded.call(guarded.tokens["bob"], "GetReport", case_id=case_id)
    assert answer["status"]["state"] == "REPORT_STATE_CANCELLED" and answer["revision"] == 1
    assert guarded.call(guarded.tokens["bob"], "CreateReport", request=request)["revision"] == 2


def test_of_another_ones_case_a_call_for_many_tells_nothing(guarded):
    theirs, mine = guarded.create("bob"), str(uuid.uuid4())
    answers = guarded.call(guarded.tokens["requester"], "BatchCreateReports", requests=[
        {"case_id": case_id, "product_id": f"p-{theirs[:8]}", "period": MONTH} for case_id in (theirs, mine)])["reports"]
    assert answers[0]["error"]["code"] == "CONFLICT" and "was_known" not in answers[0] and "status" not in answers[0]
    assert answers[1]["status"]["state"] == "REPORT_STATE_PENDING"


@pytest.mark.parametrize("method", ["GetReport", "WaitReport", "CancelReport", "RefreshReport"])
def test_a_finished_case_is_its_requesters(guarded, method):
    """From the ledger first, and from memory then."""
    own, other = guarded.create("ada"), guarded.create("bob")
    guarded.finish(own, other)
    for _ in range(3):
        assert guarded.call(guarded.tokens["bob"], method, case_id=own) == UNKNOWN
        assert guarded.call(guarded.tokens["requester"], method, case_id=other) == UNKNOWN
        answer = guarded.call(guarded.tokens["requester"], "BatchGetReports", case_ids=[own, other])
        assert ([r["case_id"] for r in answer["reports"]], answer["unknown_case_ids"]) == ([own], [other]), answer
    assert guarded.call(guarded.tokens["requester"], method, case_id=own)["case_id"] == own
    assert guarded.call(guarded.tokens["bob"], "GetReport", case_id=own) == UNKNOWN


def test_a_list_without_a_requester_is_of_ones_own(guarded):
    own, other = guarded.create("ada"), guarded.create("bob")

    def listed(token):
        ids, more = set(), {}
        while True:
            page = guarded.call(guarded.tokens[token], "ListReports", page_size=1000, **more)
            ids |= {one["case_id"] for one in page.get("reports", [])}
            if not page.get("next_page_token"):
                return ids
            more = {"page_token": page["next_page_token"]}
    assert own in listed("requester") and other not in listed("requester")
    assert other in listed("bob") and own not in listed("bob")
    assert {own, other} <= listed("reader") and {own, other} <= listed("operator")


def test_a_case_without_a_requester_is_nobodys(stack):
    path = stack.write()
    stack.call("migrate", path)
    process = stack.start(path)
    stack.ready()
    case_id = str(uuid.uuid4())
    stack.api()("CreateReport", request={"case_id": case_id, "product_id": "p", "period": MONTH})
    stack.stop(process)
    guarded = Guarded(stack)
    for token, answer in [("requester", UNKNOWN), ("bob", UNKNOWN), ("reader", case_id), ("operator", case_id)]:
        got = guarded.call(guarded.tokens[token], "GetReport", case_id=case_id)
        assert (got if isinstance(got, str) else got["case_id"]) == answer, got


def test_a_repeat_of_anothers_case_tells_nothing(guarded):
    case_id = guarded.create("ada")
    request = {"case_id": case_id, "product_id": f"p-{case_id[:8]}", "period": MONTH}
    assert guarded.call(guarded.tokens["bob"], "CreateReport", request=request) == "ALREADY_EXISTS"
    assert guarded.call(guarded.tokens["requester"], "CreateReport", request=request)["case_id"] == case_id
    assert guarded.call(guarded.tokens["bob"], "GetReport", case_id=case_id) == UNKNOWN


def test_the_requester_is_whoever_asks(guarded):
    case_id = str(uuid.uuid4())
    request = {"case_id": case_id, "product_id": "p", "period": MONTH}
    assert guarded.call(guarded.tokens["requester"], "CreateReport", request=request)["case_id"] == case_id
    for token, answer in [("requester", case_id), ("reader", case_id), ("bob", UNKNOWN)]:
        got = guarded.call(guarded.tokens[token], "GetReport", case_id=case_id)
        assert (got if isinstance(got, str) else got["case_id"]) == answer, got


@pytest.mark.parametrize("value", ["upper", "lower", "secret", "id", "short", "long", "basic", "bare", "empty"])
def test_a_token_that_is_not_quite_one(guarded, value):
    token = guarded.tokens["operator"]
    prefix, name, secret = token.split("_")
    shown = {
        "upper": f"Bearer {token.upper()}", "lower": f"Bearer {token.capitalize()}", "secret": f"Bearer {prefix}_{name}_{secret.upper()}",
        "id": f"Bearer {prefix}_{name.upper()}_{secret}", "short": f"Bearer {token[:-1]}", "long": f"Bearer {token}0",
        "basic": f"Basic {token}", "bare": f"{token} ", "empty": "Bearer  "}[value]
    if shown == f"Bearer {token}":
        pytest.skip("has no letters to change")
    assert guarded.call(shown, "GetReport", case_id=str(uuid.uuid4())) == NOBODY
    assert guarded.call(f"bearer {token}", "GetReport", case_id=str(uuid.uuid4())) == UNKNOWN


def test_a_token_that_is_revoked_or_has_ended_or_is_new_counts_without_a_restart(guarded):
    token = guarded.token("eve", "reader")
    name = token.split("_")[1]
    case_id = guarded.create("ada")
    assert eventually(lambda: guarded.call(token, "GetReport", case_id=case_id) != NOBODY, "the new token counts", limit=10)
    assert guarded.stack.call("token", "revoke", "--file", guarded.file, name).stdout == ""
    eventually(lambda: guarded.call(token, "GetReport", case_id=case_id) == NOBODY, "it is revoked", limit=10)
    assert guarded.call(guarded.tokens["reader"], "GetReport", case_id=case_id)["case_id"] == case_id
    short = guarded.token("eve", "reader", "--expires-in", "3s")
    eventually(lambda: guarded.call(short, "GetReport", case_id=case_id) != NOBODY, "it counts", limit=10)
    eventually(lambda: guarded.call(short, "GetReport", case_id=case_id) == NOBODY, "it has ended", limit=10)


def test_a_broken_file_changes_nothing_and_is_told_of_once(embedded):
    guarded = Guarded(embedded)
    case_id = guarded.create("ada")
    text = guarded.file.read_text()
    guarded.file.write_text(text[:-20])

    def told():
        assert guarded.call(guarded.tokens["requester"], "GetReport", case_id=case_id)["case_id"] == case_id
        return [e for e in embedded.logged_all(guarded.process) if "what was in it before goes on" in e["message"]]
    eventually(told, "it is told of")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert len(told()) == 1
    # A process that starts with it does not serve, and says why.
    embedded.stop(guarded.process)
    refused = embedded.call("run", guarded.path, check=False)
    assert refused.returncode == 69 and "unusable-credentials" in refused.stderr and str(guarded.file) in refused.stderr, refused.stderr
    dry = embedded.call("dry-run", guarded.path, check=False)
    assert dry.returncode != 0 and str(guarded.file) in dry.stdout, dry.stdout
    guarded.file.write_text(text)
    assert "5 tokens, 3 keys for JWTs" in embedded.call("dry-run", guarded.path).stdout


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
def test_a_jwt_lets_in_whom_it_names(guarded, kid):
    own, other = guarded.create("jo"), guarded.create("ada")
    requester = guarded.issuer.token(kid, sub="jo", role="requester")
    for _ in range(2):
        assert guarded.call(requester, "GetReport", case_id=own)["case_id"] == own
        assert guarded.call(requester, "GetReport", case_id=other) == UNKNOWN
    assert guarded.call(guarded.issuer.token(kid, role="reader", aud=["x", AUDIENCE]), "GetReport", case_id=own)["case_id"] == own
    assert guarded.call(guarded.issuer.token(kid, role="reader"), "CancelReport", case_id=own) == DENIED
    assert guarded.call(guarded.issuer.token(kid, role=["staff", "operator"]), "CancelReport", case_id=own)["case_id"] == own


def forged_hs256(issuer, kid, secret, algorithm="HS256"):
    head, claims, _ = issuer.token(kid).split(".")
    head = encoded(json.dumps({"alg": algorithm, "kid": kid, "typ": "JWT"}).encode())
    return f"{head}.{claims}." + encoded(hmac.new(secret, f"{head}.{claims}".encode(), hashlib.sha256).digest())


def public_pem(issuer, kid):
    return issuer.keys[kid][0].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def changed(token, part):
    parts = token.split(".")
    text = parts[part]
    parts[part] = text[:10] + ("A" if text[10] != "A" else "B") + text[11:]
    return ".".join(parts)


def other_end(token):
    """Another text of the same signature, for decoders that drop the last bits."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + digits[digits.index(token[-1]) ^ 1]


STRANGER = Issuer()
ATTACKS = {
    "alg none": lambda i: jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "role": "admin", "exp": int(time.time()) + 600}, None, algorithm="none", headers={"kid": "ed"}),
    "alg none with a signature": lambda i: encoded(b'{"alg":"none","kid":"ed"}') + i.token()[i.token().index("."):],
    "HS256 by the public key": lambda i: forged_hs256(i, "rsa", public_pem(i, "rsa")),
    "HS256 called RS256": lambda i: forged_hs256(i, "rsa", public_pem(i, "rsa"), "RS256"),
    "HS256 by nothing": lambda i: forged_hs256(i, "ed", b""),
    "a key of another kind": lambda i: i.token("ec", key=i.keys["rsa"][0], algorithm="RS256"),
    "RS512": lambda i: i.token("rsa", algorithm="RS512"),
    "PS256": lambda i: i.token("rsa", algorithm="PS256"),
    "header changed": lambda i: changed(i.token(), 0),
    "claims changed": lambda i: changed(i.token(), 1),
    "signature changed": lambda i: changed(i.token(), 2),
    "signature written in another way": lambda i: other_end(i.token("rsa")),
    "signature left out": lambda i: i.token().rsplit(".", 1)[0] + ".",
    "another's key": lambda i: STRANGER.token(),
    "a key in the header": lambda i: STRANGER.token(header={"jwk": STRANGER.published("ed")["keys"][0]}),
    "unknown kid": lambda i: i.token(header={"kid": "nobody"}),
    "kid is a path": lambda i: i.token(header={"kid": "../../../../dev/null"}),
    "expired": lambda i: i.token(exp=int(time.time()) - 60),
    "no exp": lambda i: i.token(without=["exp"]),
    "not yet": lambda i: i.token(nbf=int(time.time()) + 120),
    "other audience": lambda i: i.token(aud="elsewhere"),
    "no audience": lambda i: i.token(without=["aud"]),
    "other issuer": lambda i: i.token(iss=ISSUER + "/"),
    "no issuer": lambda i: i.token(without=["iss"]),
    "no subject": lambda i: i.token(without=["sub"]),
    "no role": lambda i: i.token(without=["role"]),
    "unknown role": lambda i: i.token(role="ADMIN"),
    "critical extension": lambda i: i.token(header={"crit": ["exp"]}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_jwt_that_is_not_in_order_is_refused_as_any_other(guarded, attack):
    case_id = guarded.create("ada")
    assert guarded.call(None, "GetReport", case_id=case_id) == NOBODY
    words = guarded.refused.details()
    assert guarded.call(ATTACKS[attack](guarded.issuer), "GetReport", case_id=case_id) == NOBODY
    assert guarded.refused.details() == words
    assert guarded.call(guarded.issuer.token(), "GetReport", case_id=case_id)["case_id"] == case_id


def test_keys_that_are_taken_out_let_nobody_in(embedded):
    guarded = Guarded(embedded)
    case_id = guarded.create("ada")
    old, new = guarded.issuer.token("ec"), guarded.issuer.token("ed")
    assert guarded.call(old, "GetReport", case_id=case_id)["case_id"] == case_id
    guarded.jwks.write_text(json.dumps(guarded.issuer.published("ed")))
    eventually(lambda: guarded.call(old, "GetReport", case_id=case_id) == NOBODY, "the key is gone", limit=10)
    assert guarded.call(new, "GetReport", case_id=case_id)["case_id"] == case_id


def test_guesses_are_refused_and_do_not_fill_the_log(guarded):
    name = guarded.tokens["admin"].split("_")[1]
    case_id = guarded.create("ada")
    before = len(guarded.process.log.read_text().splitlines())
    guesses = [f"pnst_{name if n % 2 else secrets.token_hex(6)}_{secrets.token_hex(32)}" for n in range(9_000)]
    guesses += [STRANGER.token() for _ in range(1_000)]
    call, request = guarded.known.methods["GetReport"][1], guarded.known.request("GetReport", {"case_id": case_id})
    for some in itertools.batched(guesses, 500) if hasattr(itertools, "batched") else [guesses[n:n + 500] for n in range(0, 10_000, 500)]:
        calls = [call.future(request, timeout=LIMIT, metadata=[("authorization", f"Bearer {guess}")]) for guess in some]
        assert {one.exception(LIMIT).code().name for one in calls} == {NOBODY}
    assert guarded.call(guarded.tokens["admin"], "GetReport", case_id=case_id)["case_id"] == case_id
    written = guarded.process.log.read_text().splitlines()[before:]
    assert len(written) < 20, written
    text = "\n".join(written)
    assert not any(guess[-40:] in text for guess in guesses), text


def test_no_secret_is_shown_anywhere(guarded):
    jwts = [guarded.issuer.token(kid) for kid in ("rsa", "ec", "ed")]
    case_id = guarded.create("ada")
    for token in [*guarded.tokens.values(), *jwts, *(changed(one, 2) for one in jwts)]:
        guarded.call(token, "GetReport", case_id=case_id)
        guarded.call(token[:-1], "GetReport", case_id=case_id)
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{guarded.admin_port}/metrics", timeout=LIMIT).read().decode()
    assert 'rpc_response_status_code="UNAUTHENTICATED"' in metrics
    shown = {
        "log": guarded.process.log.read_text(), "metrics": metrics, "file": guarded.file.read_text(),
        "list": guarded.stack.call("token", "list", "--file", guarded.file).stdout,
        "list of json": guarded.stack.call("token", "list", "--file", guarded.file, "--format", "json").stdout,
        "validate": guarded.stack.call("validate", guarded.path).stdout,
        **{f: guarded.stack.call("dry-run", "--format", f, guarded.path, check=False).stdout for f in ("text", "json", "html")}}
    for token in guarded.tokens.values():
        secret = token.split("_")[2]
        digest = hashlib.sha256(secret.encode()).hexdigest()
        for place, text in shown.items():
            assert secret not in text, place
            assert place == "file" or digest not in text, place
    for token in jwts:
        for part in token.split("."):
            assert not any(part in text for text in shown.values())
    records = [json.loads(line) for line in shown["list of json"].splitlines()]
    assert {(r["subject"], r["role"]) for r in records} >= {("ada", "requester"), ("bob", "requester"), ("ada", "admin")}
    assert os.stat(guarded.file).st_mode & 0o777 == 0o600


def test_health_and_reflection_are_open(guarded):
    assert guarded.stack.call("health", "--server", f"127.0.0.1:{guarded.stack.port}").stdout == "serving\n"
    assert "GetReport" in Reflected(f"127.0.0.1:{guarded.stack.port}").methods


def test_commands_show_a_token_of_a_file_or_of_the_environment(guarded):
    server = ["--server", f"127.0.0.1:{guarded.stack.port}"]
    place = guarded.stack.folder / "ada.token"
    place.write_text(guarded.tokens["requester"] + "\n")
    wanted = ["--product", "p", "--from", "2026-11-01", "--to", "2026-12-01"]
    refused = guarded.stack.call("report", "create", *server, *wanted, check=False)
    assert refused.returncode == 1 and "UNAUTHENTICATED" in refused.stderr, refused.stderr
    case_id = guarded.stack.call("report", "create", *server, "--token-file", place, *wanted).stdout.strip()
    assert guarded.stack.call("report", "get", *server, case_id, check=False, PENSTOCK_TOKEN=guarded.tokens["requester"]).returncode == 75
    assert guarded.stack.call("report", "get", *server, case_id, check=False, PENSTOCK_TOKEN=guarded.tokens["bob"]).returncode == 1
    many = guarded.stack.folder / "many.jsonl"
    many.write_text("".join(json.dumps({"product_id": f"p{n}", "period": MONTH}) + "\n" for n in range(3)))
    sent = guarded.stack.call("report", "create", *server, "--token-file", place, "--file", many)
    assert len(sent.stdout.split()) == 3, sent
    # The file wins, and what is wrong with it is said without what is in it.
    for content in ("", "two words\n", "x" * 9000):
        place.write_text(content)
        refused = guarded.stack.call("report", "get", *server, "--token-file", place, case_id, check=False, PENSTOCK_TOKEN=guarded.tokens["admin"])
        assert refused.returncode == 64 and str(place) in refused.stderr and "two words" not in refused.stderr, refused.stderr
    refused = guarded.stack.call("report", "get", *server, "--token-file", "/nowhere", case_id, check=False)
    assert refused.returncode == 64 and "/nowhere" in refused.stderr, refused.stderr
    assert "PENSTOCK_TOKEN" in guarded.stack.call("report", "get", "--help").stdout
    assert "UNAUTHENTICATED" in guarded.stack.call("explain-error", "unauthenticated").stdout or "credential" in guarded.stack.call("explain-error", "unauthenticated").stdout


def test_the_admin_service_on_loopback_asks_for_an_operator(embedded):
    port = free_port()
    tokens = embedded.folder / "tokens.json"
    guarded = Guarded(embedded, "--admin-service", f"127.0.0.1:{port}", "--tokens", tokens)
    batches = ["batches", "--server", f"127.0.0.1:{port}", "conversion-reports"]
    for token, code in [(None, NOBODY), ("requester", DENIED), ("reader", DENIED), ("operator", None), ("admin", None)]:
        more = {"PENSTOCK_TOKEN": guarded.tokens[token]} if token else {}
        result = embedded.call(*batches, check=False, **more)
        assert result.returncode == (1 if code else 0) and (code or "") in result.stderr, result.stderr
        pause = embedded.call("pause", "--server", f"127.0.0.1:{port}", "conversion-reports", "ready", check=False, **more)
        assert pause.returncode == result.returncode, pause.stderr
        for command in (["reload", f"127.0.0.1:{port}"], ["dead-letters", "list", "--server", f"127.0.0.1:{port}", "conversion-reports"]):
            if code:
                refused = embedded.call(*command, check=False, **more)
                assert refused.returncode == 1 and code in refused.stderr, refused.stderr
    file = embedded.folder / "op.token"
    file.write_text(guarded.tokens["operator"])
    changes = embedded.call("changes", "--server", f"127.0.0.1:{port}", "--token-file", file, "conversion-reports", "--format", "json").stdout
    assert all(json.loads(line)["actor"].startswith("ada (ipv4:127.0.0.1:") for line in changes.splitlines()), changes
    assert embedded.call("reload", "--token-file", file, f"127.0.0.1:{port}").returncode == 0
    assert embedded.call("health", "--server", f"127.0.0.1:{port}").returncode == 0


def test_the_admin_service_beyond_loopback_is_refused_with_tokens_too(embedded):
    tokens = embedded.folder / "tokens.json"
    embedded.call("token", "create", "--file", tokens, "--subject", "op", "--role", "operator")
    path = embedded.write()
    refused = embedded.call("run", "--admin-service", "0.0.0.0:9000", "--tokens", tokens, path, check=False)
    assert refused.returncode == 64 and "loopback" in refused.stderr, refused.stderr
    for options in (["--tokens", tokens], ["--tokens", tokens, "--admin-service", f"unix:{embedded.folder}/admin.sock"]):
        refused = embedded.call("run", *options, path, check=False)
        assert refused.returncode == 64 and "--tokens is for --admin-service on host:port" in refused.stderr, refused.stderr


@pytest.mark.parametrize("settings,words", [
    ({"tokens": "nowhere.json"}, "nowhere.json"), ({"jwt": {"jwks": "nowhere.json", "issuer": "i", "audience": "a"}}, "nowhere.json"),
    ({"jwt": {"jwks": "x", "issuer": "i"}}, "needs jwks, issuer and audience"), ({"jwt": {"issuer": "i", "audience": "a", "jwks": ""}}, "is empty"),
    ({"jwt": {"secret": "x"}}, "jwt.secret"), ({"token": "x"}, "tokens"), ({"jwt": "x"}, "jwt"), ({"tokens": ["x"]}, "tokens")])
def test_settings_that_will_not_do(embedded, settings, words):
    path = embedded.write(change=lambda stages, document: document["resources"]["api"].update(settings))
    for command in (["validate", "--level", "env"], ["run"]):
        refused = embedded.call(*command, path, check=False)
        assert refused.returncode == (1 if command[0] == "validate" else 78) or refused.returncode == 78, (refused.returncode, refused.stderr)
        assert words in refused.stdout + refused.stderr, refused.stdout + refused.stderr


def test_without_credentials_everybody_may_do_everything(embedded):
    path = embedded.write()
    embedded.start(path)
    embedded.ready()
    api = embedded.api(token="pnst_000000000000_" + "0" * 64)
    case_id = str(uuid.uuid4())
    request = {"case_id": case_id, "product_id": "p", "period": MONTH, "requester": "anybody"}
    assert api("CreateReport", request=request)["case_id"] == case_id
    assert embedded.api()("CancelReport", case_id=case_id)["case_id"] == case_id
