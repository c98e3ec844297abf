"""An issuer of tokens for tests that are not about the auth service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.wrappers import Response

from glassware.auth.jwks import read_keys
from glassware.auth.signing import public_jwk, sign
from glassware.client.transports import WSGITransport
from glassware.media import json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Issuer:
    """Signs tokens by a key of its own and serves the key set, as the auth service does.

    It is a WSGI app; ``transport`` stands where the network to the auth service would be. Set
    ``answer`` to make the issuer sick: it is called for each request for the key set, and may
    hang, raise, or return any response.
    """

    def __init__(self, issuer: str = "http://127.0.0.1:7001", audience: str = "glassware") -> None:
        self.issuer, self.audience = issuer, audience
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = uuid4().hex
        self.asked = 0
        self.answer: Callable[[], Response] = self.key_set
        self.transport = WSGITransport(self)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.asked += 1
        return self.answer()(environ, start_response)

    @property
    def keys(self) -> dict[str, Any]:
        return {"keys": [public_jwk(self.kid, "ES256", self.key.public_key())]}

    def key_set(self) -> Response:
        return Response(json.dumps(self.keys), content_type="application/json")

    def find_key(self, kid: str) -> Any:
        """Return the public key, as a service that trusts this issuer finds it. Raises KeyError."""
        return read_keys(self.keys, frozenset({"ES256"}))[kid]

    def rotate(self) -> None:
        """Replace the key: older tokens no longer hold."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = uuid4().hex

    def token(self, subject: str | None = None, scope: str = "", **claims: Any) -> str:
        """Return an access token good for five minutes; ``claims`` replace or add, None removes."""
        now = int(time.time())
        full: Mapping[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject or str(uuid4()),
            "client_id": "tests",
            "scope": scope,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": uuid4().hex,
            **claims,
        }
        kept = {name: value for name, value in full.items() if value is not None}
        return sign(kept, self.key, self.kid, "ES256")

    def headers(self, subject: str | None = None, scope: str = "", **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(subject, scope, **claims)}"}
