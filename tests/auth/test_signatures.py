"""A signed request proves who sent it, as it was sent, and once."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flask import Flask
from http_message_signatures import ContentDigest, HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519, HMAC_SHA256
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from glassware.api import Resource
from glassware.auth import Principal, scope
from glassware.auth.signatures import Message, SignatureVerifier, Signer, verified, verifier_of
from glassware.db import Database
from glassware.problems import UnauthorizedProblem
from glassware.service import Service
from glassware.testing import Issuer, assert_problem

SECRET, PRIVATE = bytes(range(32)), Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SCOPES = frozenset({"vault:open"})
SIGNERS = {
    "shared": Signer(SECRET, Principal("robot", SCOPES, "robot")),
    "curve": Signer(PRIVATE.public_key(), Principal("drone", SCOPES, "drone")),
    "weak": Signer(PRIVATE.public_key(), Principal("moth", frozenset(), "moth")),
}
WAYS = {"shared": (HMAC_SHA256, SECRET), "curve": (ED25519, PRIVATE), "weak": (ED25519, PRIVATE)}
HOST = "http://localhost"
db = Database()


class Vault(Resource):
    """Says who opened it."""

    path = "/vault/<path:shelf>"
    policy = scope("vault:open")
    parameters = frozenset({"q"})
    opened: list[str] = []

    def get(self, who: Principal, shelf: str) -> Any:
        self.opened.append(shelf)
        return {"subject": who.subject, "shelf": shelf}

    post = put = get


service = Service(
    "vault",
    package="glassware",
    resources=(Vault,),
    database=db,
    find_signer=SIGNERS.__getitem__,
)


class AnyDigest(ContentDigest):
    """Signs whatever digest there is."""

    @classmethod
    def prepare(cls, *_: Any, **__: Any) -> None:
        """Check nothing."""


@dataclass
class Sent:
    """A request on its way."""

    method: str = "POST"
    url: str = f"{HOST}/vault/a?q=1"
    body: bytes = b'{"amount": 1}'
    headers: dict[str, str] = field(default_factory=dict)

    def sign(
        self,
        key: str = "curve",
        nonce: str | None = "n",
        age: float = 0,
        covered: tuple[str, ...] = ("@method", "@target-uri", "content-digest"),
        **more: Any,
    ) -> Sent:
        algorithm, secret = more.pop("way", None) or WAYS[key]
        keys = MappingKeyResolver(public_keys={}, private_keys={key: secret})
        signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=keys)
        signer.content_digest_class = AnyDigest
        copy = replace(self, headers=dict(self.headers))
        if self.body:
            ContentDigest.add(copy.headers, self.body)
        created = datetime.now(UTC) - timedelta(seconds=age)
        has = [name for name in covered if name.startswith("@") or name in lower(copy.headers)]
        signer.sign(
            copy,
            key_id=key,
            created=created,
            nonce=nonce,
            covered_component_ids=has,
            **more,
        )
        return copy

    def message(self) -> Message:
        return Message(self.method, self.url, self.headers, lambda: self.body)

    def to(self, app: Flask) -> Response:
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        answer: Response = app.test_client().open(
            parts.path,
            query_string=parts.query,
            method=self.method,
            headers=self.headers,
            data=self.body,
            environ_overrides={"RAW_URI": target, "REQUEST_URI": target},
        )
        return answer


def lower(headers: dict[str, str]) -> set[str]:
    return {name.lower() for name in headers}


@pytest.fixture(scope="module")
def open_vault(tmp_path_factory: Any) -> Iterator[Callable[..., Flask]]:
    """Start the service; on the state of another one, as another process of it would."""
    apps: list[Flask] = []

    def run(state: Path | None = None, what: Service = service, **settings: str) -> Flask:
        place = state or tmp_path_factory.mktemp("vault")
        given = {
            "service.mode": "development",
            "service.state_dir": str(place),
            "service.secrets_dir": str(place / "secrets"),
            **settings,
        }
        app = what.create_app(given, environ={}, transports={"auth": Issuer().transport})
        with app.app_context():
            db.create_all()
        apps.append(app)
        return app

    yield run
    for app in apps:
        with app.app_context():
            db.close()


@pytest.fixture(scope="module")
def vault(open_vault: Callable[..., Flask]) -> Flask:
    return open_vault()


def checker(spent: set[str] | None = None) -> SignatureVerifier:
    """Return a verifier that keeps its nonces in a set, or forgets them."""

    def spend(digest: str, _until: datetime) -> bool:
        if spent is None:
            return True
        first = digest not in spent
        spent.add(digest)
        return first

    return SignatureVerifier(SIGNERS.__getitem__, spend, max_age=86_400, leeway=30)


# RFC 9421 appendix B: the request B.2, the keys B.1.4 and B.1.5, the signatures B.2.5 and B.2.6.
RFC_REQUEST = Sent(
    "POST",
    "https://example.com/foo?param=Value&Pet=dog",
    b'{"hello": "world"}',
    {
        "Host": "example.com",
        "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "Content-Type": "application/json",
        "Content-Digest": "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7"
        "BNNyealdVLvRwEmTHWXvJwew==:",
        "Content-Length": "18",
    },
)
RFC_SECRET = base64.b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
RFC_POINT = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
VECTORS = {
    "B.2.5": (
        "test-shared-secret",
        RFC_SECRET,
        'sig-b25=("date" "@authority" "content-type");created=1618884473'
        ';keyid="test-shared-secret"',
        "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
    ),
    "B.2.6": (
        "test-key-ed25519",
        Ed25519PublicKey.from_public_bytes(RFC_POINT),
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"',
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lI"
        "p5WPpBKRCw==:",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_signatures_of_the_rfc_hold(name: str) -> None:
    key_id, key, said, signature = VECTORS[name]
    headers = {**RFC_REQUEST.headers, "Signature-Input": said, "Signature": signature}
    message = replace(RFC_REQUEST, headers=headers).message()
    verifier = verifier_of(key, key_id, timedelta(seconds=30))
    result = verified(verifier, message, None, ())
    assert result.parameters["created"] == 1618884473
    later = {**headers, "Date": "Tue, 20 Apr 2021 02:07:56 GMT"}
    with pytest.raises(UnauthorizedProblem):
        verified(verifier, replace(RFC_REQUEST, headers=later).message(), None, ())
    with pytest.raises(UnauthorizedProblem, match="age"):
        verified(verifier, message, timedelta(seconds=300), ())


@pytest.mark.parametrize("key", ["shared", "curve"])
@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256))])
@pytest.mark.parametrize("target", ["/vault/a", "/vault/a%2Fb/%C3%A4?q=%20+%2B", "/vault/ä%20b"])
def test_what_was_signed_is_let_in(vault: Flask, key: str, body: bytes, target: str) -> None:
    url = HOST + target.replace("ä", "%C3%A4")
    answer = Sent("POST", url, body).sign(key, nonce=f"{key}{len(body)}{target!a}".replace(" ", ""))
    told: Any = answer.to(vault).json
    assert told["subject"] == SIGNERS[key].principal.subject


@settings(max_examples=1000)
@given(data=st.data(), key=st.sampled_from(["shared", "curve"]))
def test_with_any_byte_changed_nothing_holds(data: Any, key: str) -> None:
    sent = SIGNED[key]
    part = data.draw(st.sampled_from(["method", "url", "body", "Signature", "Signature-Input"]))
    there = sent.headers[part] if part.startswith("S") else getattr(sent, part)
    whole = there if isinstance(there, bytes) else there.encode()
    place = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(1, 255))
    flipped = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
    value: Any = flipped if isinstance(there, bytes) else flipped.decode("latin-1")
    if part.startswith("S"):
        changed = replace(sent, headers={**sent.headers, part: value})
    else:
        changed = replace(sent, **{part: value})
    checker().principal(sent.message())
    assume(part != "Signature" or not same_signature(there, value))
    with pytest.raises(UnauthorizedProblem):
        checker().principal(changed.message())


def same_signature(one: str, other: str) -> bool:
    """Whether they differ only in the bits of base64 that stand for nothing."""
    try:
        decoded = [base64.b64decode(text.split(":")[1], validate=True) for text in (one, other)]
    except (ValueError, IndexError):
        return False
    return decoded[0] == decoded[1] and one.partition(":")[0] == other.partition(":")[0]


SIGNED = {key: Sent().sign(key, nonce="fixed") for key in ("shared", "curve")}


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"url": f"{HOST}/vault/b?q=1"},
        {"url": f"{HOST}/vault/a?q=2"},
        {"url": f"{HOST}/vault/a"},
        {"url": f"{HOST}/vault/%61?q=1"},
        {"body": b'{"amount": 2}'},
        {"body": b""},
    ],
)
def test_over_http_a_changed_request_is_a_401_and_costs_no_nonce(
    vault: Flask, changed: Any
) -> None:
    sent = Sent().sign(nonce=f"changed {changed}".replace(" ", ""))
    Vault.opened.clear()
    problem = assert_problem(replace(sent, **changed).to(vault), 401, "unauthorized")
    assert problem["detail"].startswith("The signature does not hold: ")
    assert Vault.opened == []
    assert sent.to(vault).status_code == 200


HMAC = (HMAC_SHA256, SECRET)
#: The public key, which everybody may know, as if it were a shared secret.
CONFUSED = (HMAC_SHA256, PRIVATE.public_key().public_bytes_raw())


@pytest.mark.parametrize(
    ("signing", "reason"),
    [
        ({"age": 400}, "age"),
        ({"age": -90}, "future"),
        ({"nonce": None}, "nonce"),
        ({"nonce": "x" * 129}, "nonce"),
        ({"nonce": "with blank"}, "nonce"),
        ({"covered": ("@method", "content-digest")}, "@target-uri"),
        ({"covered": ("@target-uri", "content-digest")}, "@method"),
        ({"covered": ("@method", "@target-uri")}, "Content-Digest"),
        ({"way": HMAC}, "algorithm"),
        ({"way": HMAC, "include_alg": False}, "not right"),
        ({"way": CONFUSED, "include_alg": False}, "not right"),
        ({"key": "shared", "way": (ED25519, PRIVATE), "include_alg": False}, "not right"),
        ({"key": "other", "way": (ED25519, PRIVATE)}, "known"),
    ],
)
def test_what_a_signature_must_be(vault: Flask, signing: Any, reason: str) -> None:
    problem = assert_problem(Sent().sign(**signing).to(vault), 401, "unauthorized")
    assert reason in problem["detail"], problem["detail"]


def test_a_token_beside_a_signature_is_one_caller_too_many(vault: Flask) -> None:
    sent = Sent(headers={"Authorization": "Bearer x"}).sign()
    assert "second caller" in assert_problem(sent.to(vault), 401)["detail"]


def test_two_signatures_or_half_of_one_are_none(vault: Flask) -> None:
    sent = Sent().sign(nonce="two")
    for part in ("Signature", "Signature-Input"):
        twice = {**sent.headers, part: f"{sent.headers[part]}, {sent.headers[part]}"}
        assert_problem(replace(sent, headers=twice).to(vault), 401)
        without = {name: value for name, value in sent.headers.items() if name != part}
        assert_problem(replace(sent, headers=without).to(vault), 401)
    second = {
        part: f"{sent.headers[part]}, b{sent.headers[part]}"
        for part in ("Signature", "Signature-Input")
    }
    assert_problem(replace(sent, headers={**sent.headers, **second}).to(vault), 401)


DIGESTS = [
    "md5=:AA==:",
    "sha-256=:AA==:",
    "sha-256=1",
    "",
    "=",
    "a, b",
    ContentDigest.create(b"y"),
    f"{ContentDigest.create(b'x')}, md5=:AA==:",
    f"{ContentDigest.create(b'x')}, {ContentDigest.create(b'x')}",
]


@pytest.mark.parametrize("digest", DIGESTS)
def test_a_digest_that_does_not_say_what_the_body_is_is_refused(vault: Flask, digest: str) -> None:
    sent = Sent(body=b"", headers={"Content-Digest": digest}).sign(nonce="digest")
    refused = assert_problem(replace(sent, body=b"x").to(vault), 401)
    assert "igest" in refused["detail"]


def test_a_body_beside_a_signature_that_covers_none_is_refused(vault: Flask) -> None:
    sent = Sent(body=b"").sign(nonce="empty")
    added = {**sent.headers, "Content-Digest": ContentDigest.create(b"x")}
    assert_problem(replace(sent, body=b"x", headers=added).to(vault), 401)
    assert sent.to(vault).status_code == 200


FIELDS = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=60) | st.sampled_from(
    [
        'a=();keyid="curve"',
        'a=("@method" "@target-uri");created=1;keyid="curve";nonce="x"',
        'a=("@query-param";name="q");keyid=curve',
        'a=("@status");created=9999999999999999;keyid="curve"',
        'a=1;keyid="curve"',
        'a=("x";req);keyid="curve"',
        "a=:AAAA:",
        'a=("@method";@method);keyid="shared"',
    ]
)


@settings(max_examples=500)
@given(said=FIELDS, signature=FIELDS, digest=FIELDS)
def test_nonsense_is_a_401(vault: Flask, said: str, signature: str, digest: str) -> None:
    given = {"Signature-Input": said, "Signature": signature, "Content-Digest": digest}
    assert_problem(Sent(headers=given).to(vault), 401)


def test_a_request_sent_again_is_refused_by_every_process_and_after_a_restart(
    open_vault: Callable[..., Flask],
) -> None:
    one = open_vault()
    state = Path(one.extensions["glassware"].config["service.state_dir"])
    two = open_vault(state)
    sent, other = Sent().sign(nonce="once"), Sent().sign("shared", nonce="once")
    assert sent.to(one).status_code == 200
    for app in (one, two, open_vault(state)):
        problem = assert_problem(sent.to(app), 401)
        assert "used before" in problem["detail"]
    assert other.to(two).status_code == 200, "a nonce is the key's own"


def test_of_many_who_send_it_at_once_one_is_let_in(open_vault: Callable[..., Flask]) -> None:
    one = open_vault()
    two = open_vault(Path(one.extensions["glassware"].config["service.state_dir"]))
    sent, found = Sent().sign(nonce="burst"), []
    gate = threading.Barrier(12)

    def send(app: Flask) -> None:
        gate.wait(10)
        found.append(sent.to(app).status_code)

    threads = [threading.Thread(target=send, args=((one, two)[n % 2],)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [200] + [401] * 11


def test_used_nonces_are_forgotten_when_their_signatures_have_long_been_too_old(
    open_vault: Callable[..., Flask],
) -> None:
    app = open_vault(**{"auth.signature_age": "1", "auth.leeway": "0"})
    first = Sent().sign(nonce="first")
    assert first.to(app).status_code == 200
    time.sleep(2.1)
    assert "age" in assert_problem(first.to(app), 401)["detail"]
    assert Sent().sign(nonce="next").to(app).status_code == 200
    with app.app_context():
        assert len(db.session.execute(db.nonces.select()).all()) == 1


def test_a_signer_may_what_its_scopes_allow_and_no_more(vault: Flask) -> None:
    assert_problem(Sent().sign("weak", nonce="weak").to(vault), 403, "forbidden")


def test_a_service_that_knows_no_signers_goes_by_tokens_alone(
    open_vault: Callable[..., Flask],
) -> None:
    app = open_vault(what=replace(service, find_signer=None))
    problem = assert_problem(Sent().sign(nonce="alone").to(app), 401)
    assert problem["detail"] == "This needs a bearer token."


def test_nonces_need_a_database(tmp_path: Path) -> None:
    places = {"service.mode": "development", "service.secrets_dir": str(tmp_path)}
    with pytest.raises(ValueError, match="no database for the nonces"):
        replace(service, database=None).create_app(places, environ={})


def test_a_short_secret_is_none() -> None:
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        verifier_of(b"x" * 31, "short", timedelta())
