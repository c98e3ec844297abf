"""Requests to the token endpoint, and the problems that refuse them (RFC 6749 section 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from glassware.auth import Principal
from glassware.problems import Problem


class TokenRequestProblem(Problem):
    """The token request is refused; ``error`` is a code of RFC 6749 section 5.2."""

    status, title, slug = 400, "Token request refused", "token-request"
    advice = "Correct what `error_description` says."
    media_type: ClassVar[str] = "application/json"

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description, error=error, error_description=description)


class InvalidClientProblem(TokenRequestProblem):
    """The client did not prove who it is: ``invalid_client`` of RFC 6749 section 5.2."""

    status, title, slug = 401, "Client not authenticated", "invalid-client"
    advice = "Send the client_id and its secret by HTTP Basic or in the form, not both."

    def __init__(self) -> None:
        super().__init__("invalid_client", "The client is unknown, or its secret does not hold.")
        self.headers["WWW-Authenticate"] = 'Basic realm="glassware"'


@dataclass(frozen=True)
class TokenRequest:
    """The parameters that have a value, the pair of HTTP Basic, and the caller's network.

    ``verify`` returns whom an access token is, or raises UnauthorizedProblem.
    """

    form: Mapping[str, str]
    basic: tuple[str, str] | None
    network: str
    verify: Callable[[str], Principal]

    def need(self, name: str) -> str:
        """Return a parameter. Raises TokenRequestProblem where it is missing."""
        if name not in self.form:
            raise TokenRequestProblem("invalid_request", f"The parameter {name} is missing.")
        return self.form[name]
