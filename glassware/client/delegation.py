"""Acting for a person who is gone, as a job does: by token exchange at the issuer (RFC 8693)."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

from glassware.client.client import Client
from glassware.problems import ForbiddenProblem, UpstreamProblem

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
REFRESH = "urn:ietf:params:oauth:token-type:refresh_token"
#: Seconds before its end at which an access token is no longer begun a call with.
MARGIN = 30.0


class Delegate:
    """The service as a client of the ``issuer``, which lets it act for people who called it."""

    def __init__(self, issuer: Client, client_id: str, secret: str) -> None:
        self._issuer = issuer
        # Section 2.3.1 of RFC 6749 encodes the parts before it joins them.
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        self._headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def keep(self, token: str) -> str:
        """Return what only this service has access tokens by, for the person whose token it is.

        Raises ForbiddenProblem where the issuer refuses, and what ``Client`` raises.
        """
        answer = self._ask(
            grant_type=EXCHANGE,
            subject_token=token,
            subject_token_type=ACCESS,
            requested_token_type=REFRESH,
        )
        return str(answer["access_token"])

    def redeem(self, kept: str) -> tuple[str, float]:
        """Return an access token of the person's, and the seconds that it holds. Raises as keep."""
        answer = self._ask(grant_type="refresh_token", refresh_token=kept)
        return str(answer["access_token"]), float(answer["expires_in"])

    def _ask(self, **form: str) -> Any:
        try:
            return self._issuer.post("/oauth/token", form=form, headers=self._headers)
        except UpstreamProblem as problem:
            if problem.upstream_status != 400:
                raise
            raise ForbiddenProblem(
                "The issuer does not let this be done for you when you are gone.",
                cause=problem.cause,
            ) from problem


class Acting:
    """Acts for a person as long as what was kept holds; each token is used until it ends."""

    def __init__(self, delegate: Delegate, kept: str) -> None:
        self._delegate, self._kept = delegate, kept
        self._lock = threading.Lock()
        self._token, self._ends = "", 0.0

    def token(self) -> str:
        """Return an access token that holds. Raises what ``Delegate.redeem`` raises."""
        with self._lock:
            if time.monotonic() >= self._ends:
                began = time.monotonic()
                self._token, seconds = self._delegate.redeem(self._kept)
                self._ends = began + max(seconds - MARGIN, 1.0)
            return self._token
