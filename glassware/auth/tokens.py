"""Verify access tokens: JWTs of the profile ``at+jwt`` (RFC 9068), checked as RFC 8725 asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import jwt

from glassware.auth.principal import Principal
from glassware.problems import UnauthorizedProblem

Key = Any
FindKey = Callable[[str], Key]

#: A longer token is refused unread.
MAX_TOKEN = 8192
#: Three canonical base64url parts. A last character with stray bits decodes to the same bytes, so
#: two strings would be one token.
SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id"]
HEADER = {"alg", "typ", "kid"}
STRINGS = ("sub", "jti", "client_id")


class TokenVerifier:
    """Turns a token into a Principal, or raises UnauthorizedProblem with the RFC 6750 challenge.

    ``find_key`` takes a ``kid`` and returns the issuer's public key with its algorithm bound, or
    raises KeyError; ``leeway`` is in seconds.
    """

    def __init__(
        self,
        find_key: FindKey,
        *,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        leeway: float,
    ) -> None:
        self.find_key = find_key
        self.issuer = issuer
        self.audience = audience
        self.algorithms = list(algorithms)
        self.leeway = leeway
        #: How a token is checked; a TokenMemory may stand before ``verify``.
        self.check: Callable[[str], Principal] = self.verify

    def principal(self, authorization: str | None) -> Principal | None:
        """Return the caller named by an Authorization header, None without one."""
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise refusal("the Authorization header is not `Bearer <token>`", "invalid_request")
        return self.check(token.strip(" "))

    def verify(self, token: str) -> Principal:
        """Check form, header, signature and claims, in this order."""
        claims = self._claims(token, self._key(token))
        if not all(isinstance(claims[name], str) and claims[name] for name in STRINGS):
            raise refusal("a claim that must be a text is none")
        if not all(type(claims[name]) is int for name in ("exp", "nbf", "iat")):
            raise refusal("a time must be a whole number")
        scopes = claims.get("scope", "")
        if not isinstance(scopes, str):
            raise refusal("the claim `scope` must be a text")
        return Principal(
            subject=claims["sub"],
            scopes=frozenset(scopes.split()),
            client_id=claims["client_id"],
            token=token,
            claims=claims,
        )

    def _key(self, token: str) -> Key:
        if len(token) > MAX_TOKEN or not SHAPE.fullmatch(token) or not canonical(token):
            raise refusal("it is not a JWT")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise refusal("its header cannot be read") from None
        if set(header) - HEADER:
            raise refusal(f"its header may hold only {', '.join(sorted(HEADER))}")
        if str(header.get("typ", "")).lower().removeprefix("application/") != "at+jwt":
            raise refusal("it is not an access token (typ at+jwt)")
        kid = header.get("kid")
        if not isinstance(kid, str) or len(kid) > 128:
            raise refusal("it does not name its key (kid)")
        try:
            return self.find_key(kid)
        except KeyError:
            raise refusal("its key is not one of the issuer's") from None

    def _claims(self, token: str, key: Key) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=self.algorithms,
                issuer=self.issuer,
                audience=self.audience,
                leeway=self.leeway,
                options={
                    "require": REQUIRED,
                    "strict_aud": True,
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.ExpiredSignatureError:
            raise refusal("it has expired; get a new one") from None
        except jwt.ImmatureSignatureError:
            raise refusal("it is not valid yet") from None
        except jwt.InvalidAudienceError:
            raise refusal("it is meant for another audience") from None
        except jwt.InvalidIssuerError:
            raise refusal("it comes from another issuer") from None
        except jwt.MissingRequiredClaimError as missing:
            raise refusal(f"the claim `{missing.claim}` is missing") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise refusal("its signature or claims do not hold") from None


def canonical(token: str) -> bool:
    """Whether each part is the one base64url spelling of its bytes (RFC 7515 section 2)."""
    try:
        return all(
            jwt.utils.base64url_encode(jwt.utils.base64url_decode(part)).decode() == part
            for part in token.split(".")
        )
    except ValueError:
        return False


def refusal(reason: str, error: str = "invalid_token") -> UnauthorizedProblem:
    """Return the 401 of RFC 6750 section 3; the reason never quotes the token."""
    challenge = f'Bearer error="{error}", error_description="{reason.replace(chr(34), "")}"'
    return UnauthorizedProblem(
        f"The token does not hold: {reason}.", headers={"WWW-Authenticate": challenge}
    )
