"""Sending what must be refused, and seeing to it that this is all that happens."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from glassware.media import json
from glassware.testing import assert_problem

from .targets import Route
from .worlds import Lines

ACCEPT = ("application/json", "application/xml")
#: The endpoints whose errors have a form of their own (RFC 6749 section 5.2).
OWN_FORM = {"/oauth/token"}
#: Routes of the notes that fail on purpose, whatever they get.
FAULTY = {"/fault", "/raise", "/half/<way>", "/abort/<int:status>"}


class Attack:
    """Sends what must be refused, and sees to it that this is all that happens."""

    def __init__(self, routes: list[Route], log: Lines) -> None:
        self.routes, self.log = routes, log
        self.accepts = itertools.cycle(ACCEPT)

    def __call__(
        self,
        statuses: set[int],
        send: Callable[[Route, dict[str, str]], Any],
        where: Callable[[Route], Any] = lambda _: True,
        at_least: int = 1,
    ) -> None:
        hit = [route for route in self.routes if where(route)]
        assert len(hit) >= at_least
        for route in hit:
            before, accept = route.wire.rows(), next(self.accepts)
            self.log.take()
            response = send(route, {"Accept": accept})
            assert response.status_code in statuses, (
                f"{route}: {response.status_code} {response.data[:500]!r}"
            )
            refused(route, response, accept)
            assert route.wire.rows() == before, str(route)
            self.quiet(route, response)

    def quiet(self, route: Route, response: Any) -> None:
        """Assert that neither the answer nor the log has the token in it."""
        told = response.data.decode("utf-8", "replace") + str(response.headers)
        for text in (told, *self.log.unscrubbed):
            assert route.token.rpartition(".")[2] not in text, str(route)


def refused(route: Route, response: Any, accept: str) -> None:
    """Assert that the answer is a problem in the medium asked for."""
    if route.resource.path in OWN_FORM and response.mimetype == "application/json":
        assert json.loads(response.data)["error"]
    else:
        assert_problem(response, response.status_code)
        asked = "application/problem+xml" if "xml" in accept else "application/problem+json"
        assert response.mimetype == asked, str(route)
