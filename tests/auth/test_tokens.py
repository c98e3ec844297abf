"""What a token verifier refuses: RFC 8725's attacks, and those that libraries have fallen for."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import assume, given
from hypothesis import strategies as st

from glassware.auth.jwks import read_keys
from glassware.auth.signing import public_jwk, sign, thumbprint
from glassware.auth.tokens import TokenVerifier
from glassware.problems import KeysUnavailableProblem, UnauthorizedProblem
from glassware.testing import Issuer

ISSUER = Issuer()
ALL = ("ES256", "RS256", "EdDSA", "HS256")


def verifier(*algorithms: str, find: Callable[[str], Any] | None = None) -> TokenVerifier:
    """Return a verifier of the issuer's tokens, as a service makes it."""
    accepted = frozenset(algorithms or ("ES256",))
    keys = read_keys(json.loads(ISSUER.key_set().data), accepted)
    return TokenVerifier(
        find or keys.__getitem__,
        issuer=ISSUER.issuer,
        audience=ISSUER.audience,
        algorithms=sorted(accepted),
        leeway=30.0,
    )


VERIFIER = verifier()
KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with changes; None removes one."""
    now = int(time.time())
    good = {
        "iss": ISSUER.issuer,
        "aud": ISSUER.audience,
        "sub": "somebody",
        "client_id": "tests",
        "jti": "one",
        "scope": "tasks:read",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def header(**changes: Any) -> dict[str, Any]:
    good = {"alg": "ES256", "typ": "at+jwt", "kid": ISSUER.kid}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def by_issuer(data: bytes) -> bytes:
    algorithm = jwt.algorithms.get_default_algorithms()["ES256"]
    return algorithm.sign(data, ISSUER.key)


def forge(
    head: Any, body: Any, signed: Callable[[bytes], bytes] = by_issuer, dumps: Any = json.dumps
) -> str:
    """Return a token of any header and body; truly signed unless said otherwise."""
    parts = [part if isinstance(part, bytes) else dumps(part).encode() for part in (head, body)]
    text = ".".join(map(encoded, parts))
    return f"{text}.{encoded(signed(text.encode()))}"


def assert_refused(token: str, by: TokenVerifier = VERIFIER) -> str:
    """Assert that the token is refused as RFC 6750 says; return the reason."""
    with pytest.raises(UnauthorizedProblem) as refused:
        by.verify(token)
    challenge = refused.value.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.isascii()
    assert challenge.isprintable()
    assert len(token) < 20 or token not in f"{challenge}{refused.value.detail}"
    return str(refused.value.detail)


def test_a_good_token_names_its_bearer() -> None:
    who = VERIFIER.verify(ISSUER.token("somebody", "tasks:read tasks:write"))
    assert who.subject == "somebody"
    assert who.scopes == {"tasks:read", "tasks:write"}
    assert who.client_id == "tests"
    assert VERIFIER.verify(forge(header(), claims())).subject == "somebody"
    assert VERIFIER.verify(forge(header(typ="application/AT+JWT"), claims())).known


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, [], ["ES256"], 0, {}])
@pytest.mark.parametrize("signature", [b"", b"x", b"0" * 64])
def test_no_algorithm_is_no_signature(alg: Any, signature: bytes) -> None:
    token = forge(header() | {"alg": alg}, claims(), lambda _data: signature)
    assert_refused(token)
    assert_refused(token, verifier(*ALL))
    assert_refused(token.rpartition(".")[0] + ".")


def spellings() -> list[bytes]:
    """Return the issuer's public key in every form that an attacker might take for a secret."""
    key = ISSUER.key.public_key()
    jwk = public_jwk(ISSUER.kid, "ES256", key)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    point = serialization.PublicFormat.UncompressedPoint
    pem = key.public_bytes(serialization.Encoding.PEM, info)
    return [
        pem,
        pem.strip(),
        key.public_bytes(serialization.Encoding.DER, info),
        key.public_bytes(serialization.Encoding.X962, point),
        json.dumps(jwk).encode(),
        json.dumps(jwk, separators=(",", ":")).encode(),
        jwk["x"].encode(),
        b"",
    ]


@pytest.mark.parametrize("secret", spellings(), ids=[f"spelling-{n}" for n in range(8)])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_a_public_key_is_no_shared_secret(secret: bytes, digest: str) -> None:
    token = forge(
        header(alg=f"HS{digest[3:]}"), claims(), lambda data: hmac.digest(secret, data, digest)
    )
    assert_refused(token)
    # Nor where HS256 is accepted beside: the key says which algorithm it is for.
    assert_refused(token, verifier(*ALL))


ATTACKER = ec.generate_private_key(ec.SECP256R1())
THEIRS = public_jwk("theirs", "ES256", ATTACKER.public_key())


def by_attacker(data: bytes) -> bytes:
    return jwt.algorithms.get_default_algorithms()["ES256"].sign(data, ATTACKER)


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": THEIRS},
        {"jku": "https://attacker.example/jwks.json"},
        {"x5u": "https://attacker.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "abc"},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"zip": "DEF"},
        {"enc": "A256GCM", "alg": "dir"},
        {"cty": "JWT"},
        {"unknown": None},
    ],
    ids=lambda extra: "+".join(extra),
)
def test_a_token_brings_neither_its_own_key_nor_any_extension(extra: dict[str, Any]) -> None:
    assert_refused(forge({**header(), **extra}, claims(), by_attacker))
    assert "header" in assert_refused(forge({**header(), **extra}, claims()))


@pytest.mark.parametrize(
    "kid",
    [
        None,
        "",
        "theirs",
        "../../../../dev/null",
        "' OR '1'='1",
        "a\0b",
        "\ud800",
        "k" * 129,
        7,
        True,
        [ISSUER.kid],
        {"kid": ISSUER.kid},
        pytest.param(ISSUER.kid.upper() + "x", id="longer"),
        pytest.param(f" {ISSUER.kid}", id="spaced"),
    ],
)
def test_an_odd_key_id_finds_no_key(kid: Any) -> None:
    assert_refused(forge({**header(), "kid": kid}, claims()))
    assert_refused(forge({**header(), "kid": kid}, claims(), by_attacker))


def test_a_foreign_key_signs_nothing_here() -> None:
    assert_refused(forge(header(), claims(), by_attacker))


@pytest.mark.parametrize(
    "typ", [None, "", "JWT", "jwt", "at+jwtx", "id+jwt", "logout+jwt", "dpop+jwt", 7, ["at+jwt"]]
)
def test_another_kind_of_token_is_no_access_token(typ: Any) -> None:
    assert_refused(forge({**header(), "typ": typ}, claims()))
    assert_refused(forge(header(typ=typ), claims()))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id"])
def test_no_claim_may_be_missing_or_null(name: str) -> None:
    assert_refused(forge(header(), claims(**{name: None})))
    assert_refused(forge(header(), {**claims(), name: None}))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "jti", "client_id", "scope"])
@pytest.mark.parametrize("value", ["", 7, True, [], ["x"], {}, 1.5])
def test_a_claim_that_is_a_text_is_nothing_else(name: str, value: Any) -> None:
    if (name, value) == ("scope", ""):
        assert VERIFIER.verify(forge(header(), claims(scope=""))).scopes == frozenset()
    else:
        assert_refused(forge(header(), {**claims(), name: value}))


@pytest.mark.parametrize(
    "aud",
    [
        [ISSUER.audience],
        [ISSUER.audience, "another"],
        "another",
        f"{ISSUER.audience} another",
        ISSUER.audience.upper(),
        ISSUER.audience[:-1],
    ],
)
def test_a_token_for_others_too_is_not_for_us(aud: Any) -> None:
    assert "audience" in assert_refused(forge(header(), claims(aud=aud)))


@pytest.mark.parametrize(
    "iss",
    [
        ISSUER.issuer + "/",
        ISSUER.issuer[:-1],
        ISSUER.issuer + ".attacker.example",
        ISSUER.issuer.upper(),
        "http://127.0.0.1",
        [ISSUER.issuer],
    ],
)
def test_an_issuer_that_looks_like_ours_is_not(iss: Any) -> None:
    assert_refused(forge(header(), claims(iss=iss)))


def raw(text: str) -> Callable[[Any], str]:
    """Return a writer that puts the text in place of the one "@" of a document."""
    return lambda document: json.dumps(document).replace('"@"', text)


NO_TIMES = [
    *("true", "false", "null", "[]", "{}", '""', '"soon"', '"1e9"', '"\\u0661"'),
    *("NaN", "Infinity", "-Infinity", "1e400", "1.5", "1e9", "1" * 5000),
]


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("text", NO_TIMES, ids=lambda text: text[:10])
def test_a_time_that_is_no_whole_number_is_refused_and_is_no_fault(name: str, text: str) -> None:
    assert_refused(forge(header(), claims(**{name: "@"}), dumps=raw(text)))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_time_in_quotes_is_no_time(name: str) -> None:
    assert_refused(forge(header(), claims(**{name: str(claims()[name])})))
    assert_refused(forge(header(), claims(**{name: float(claims()[name])})))


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"exp": -29}, True),
        ({"exp": -31}, False),
        ({"exp": -(10**12)}, False),
        ({"nbf": 29}, True),
        ({"nbf": 32}, False),
        ({"iat": 29}, True),
        ({"iat": 32}, False),
    ],
)
def test_the_clocks_may_differ_by_the_leeway(changes: dict[str, int], holds: bool) -> None:
    now = int(time.time())
    moved = {name: now + seconds for name, seconds in changes.items()}
    token = forge(header(), claims(**moved))
    if holds:
        assert VERIFIER.verify(token).known
    else:
        assert_refused(token)


def test_a_signature_of_zeros_is_none() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for r, s in ((0, 0), (0, 1), (1, 0), (order, order), (order, 1), (1, order)):
        signature = r.to_bytes(32) + s.to_bytes(32)
        assert_refused(forge(header(), claims(), lambda _data, both=signature: both))


def test_a_signature_in_another_form_is_none() -> None:
    def der(data: bytes) -> bytes:
        both = by_issuer(data)
        return encode_dss_signature(int.from_bytes(both[:32]), int.from_bytes(both[32:]))

    assert_refused(forge(header(), claims(), der))
    assert_refused(forge(header(), claims(), lambda data: by_issuer(data) + b"\0"))
    assert_refused(forge(header(), claims(), lambda data: b"\0" + by_issuer(data)))
    assert_refused(forge(header(), claims(), lambda data: by_issuer(data)[:-1]))


def test_one_token_has_one_spelling() -> None:
    """Stray bits, padding, and the other alphabet decode alike; only one of them is the token."""
    token = forge(header(), {**claims(), "pad": "~~~???"})
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    head, body, signature = token.split(".")
    last = alphabet.index(signature[-1])
    assert last % 4 == 0 or len(signature) % 4 == 0
    strays = [signature[:-1] + alphabet[last | bits] for bits in (1, 2, 3, 4)]
    others = [
        *(f"{head}.{body}.{stray}" for stray in strays if stray != signature),
        f"{token}=",
        f"{token}==",
        f"{head}=.{body}.{signature}",
        token.replace("-", "+").replace("_", "/") if "-" in token or "_" in token else token + "+",
        f"{token}\n",
        f"\n{token}",
        f"{head}. {body}.{signature}",
        f"{token}.",
        f".{token}",
        f"{head}.{body}",
        f"{head}..{signature}",
        f"{head}.{body}.{signature}.{signature}",
        token.encode().hex(),
    ]
    assert VERIFIER.verify(token).known
    for other in others:
        assert_refused(other)


def test_a_long_token_is_refused_unread() -> None:
    asked = []
    by = verifier(find=lambda kid: asked.append(kid) or ISSUER)
    assert_refused(forge(header(), claims(pad="x" * 8192)), by)
    assert_refused(forge(header(pad="x" * 1_000_000), claims()), by)
    assert_refused("." * 100_000, by)
    assert asked == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 2000,
        b'{"a":' * 1200,
        b'{"alg": ' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_no_header_and_no_body(document: bytes) -> None:
    assert_refused(forge(document, claims()))
    assert_refused(forge(header(), document))


def test_a_header_with_a_name_twice_is_of_nobody_else() -> None:
    twice = json.dumps(header())[:-1] + ', "alg": "none"}'
    assert_refused(forge(twice.encode(), claims(), lambda _data: b"x"))
    twice = json.dumps(header(kid="theirs"))[:-1] + f', "kid": "{ISSUER.kid}"}}'
    assert_refused(forge(twice.encode(), claims(), by_attacker))


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused_and_never_a_fault(text: str) -> None:
    with pytest.raises(UnauthorizedProblem):
        VERIFIER.verify(text)
    with pytest.raises(UnauthorizedProblem):
        VERIFIER.principal(text)


@given(st.data())
def test_any_change_of_a_token_is_refused(data: st.DataObject) -> None:
    token = forge(header(), claims())
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    assume(token[place] != letter)
    assert_refused(token[:place] + letter + token[place + 1 :])


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "x"]), JSONS),
    st.dictionaries(st.sampled_from([*claims(), "x"]), JSONS),
)
def test_whatever_the_issuer_signs_is_a_principal_or_refused(
    head: dict[str, Any], body: dict[str, Any]
) -> None:
    """A fault of the issuer's is answered by 401, never by a fault of ours."""
    for token in (forge({**header(), **head}, claims()), forge(header(), {**claims(), **body})):
        try:
            who = VERIFIER.verify(token)
        except UnauthorizedProblem:
            continue
        assert who.subject
        assert all(isinstance(scope, str) for scope in who.scopes)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_each_algorithm_is_accepted_where_it_is_configured_and_only_there(algorithm: str) -> None:
    private = KEYS[algorithm]
    jwk = public_jwk("", algorithm, private.public_key())
    jwk["kid"] = thumbprint(jwk)
    token = sign(claims(), private, jwk["kid"], algorithm)
    found = read_keys({"keys": [jwk]}, frozenset({algorithm}))
    assert verifier(algorithm, find=found.__getitem__).verify(token).known
    others = sorted({"ES256", "EdDSA", "RS256"} - {algorithm})
    assert_refused(token, verifier(*others, find=found.__getitem__))
    # A key set for other algorithms does not hold the key at all.
    assert read_keys({"keys": [jwk]}, frozenset(others)) == {}


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
@given(told=st.dictionaries(st.text(), st.text() | st.integers(0, 2**53) | st.lists(st.text())))
def test_a_token_is_what_pyjwt_would_have_made(algorithm: str, told: dict[str, Any]) -> None:
    key = KEYS[algorithm]
    made = sign(told, key, "one", algorithm)
    named = {"kid": "one", "typ": "at+jwt"}
    assert jwt.get_unverified_header(made) == {**named, "alg": algorithm}
    theirs = jwt.api_jws.encode(json.dumps(told).encode(), key, algorithm, named)
    for token in (made, theirs):
        payload = jwt.api_jws.decode(token, key.public_key(), [algorithm])
        assert json.loads(payload) == told


def test_a_weak_rsa_key_is_refused() -> None:
    private = rsa.generate_private_key(65537, 1024)
    jwk = public_jwk("weak", "RS256", private.public_key())
    algorithm = jwt.algorithms.get_default_algorithms()["RS256"]
    found = read_keys({"keys": [jwk]}, frozenset({"RS256"}))
    token = forge(
        header(alg="RS256", kid="weak"), claims(), lambda data: algorithm.sign(data, private)
    )
    assert_refused(token, verifier("RS256", find=found.__getitem__))


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic eA==", "Bearerx.y.z", "Token x", "bearer  ", "Bearer a b"],
)
def test_an_authorization_that_is_no_bearer_token_is_refused(authorization: str) -> None:
    with pytest.raises(UnauthorizedProblem) as refused:
        VERIFIER.principal(authorization)
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer ")


def test_the_scheme_is_written_in_any_case() -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        who = VERIFIER.principal(f"{scheme} {ISSUER.token('somebody')}")
        assert who is not None
        assert who.subject == "somebody"
    assert VERIFIER.principal(None) is None


def test_keys_that_cannot_be_had_are_not_the_callers_fault() -> None:
    def sick(kid: str) -> Any:
        raise KeysUnavailableProblem("down")

    with pytest.raises(KeysUnavailableProblem):
        verifier(find=sick).verify(ISSUER.token())
