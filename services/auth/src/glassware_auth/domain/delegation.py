"""Acting for a person by a token of theirs: token exchange (RFC 8693)."""

from __future__ import annotations

from glassware.auth import Principal
from glassware.problems import UnauthorizedProblem
from glassware_auth.domain import families, tokens
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.requests import TokenRequest, TokenRequestProblem
from glassware_auth.domain.tokens import Grant, common, narrow, scopes_of
from glassware_auth.models import Client, User, db

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS, JWT, REFRESH = f"{TYPE}access_token", f"{TYPE}jwt", f"{TYPE}refresh_token"


def token_exchange(authority: Authority, client: Client, request: TokenRequest) -> Grant:
    """A delegate acts for the person whose access token it was sent, and never beyond that.

    The access token that it gets ends when that one does. A refresh token, which it may ask for
    instead, is good for ``auth.delegation_lifetime``: with it the client has access tokens also
    when the person is gone, as long as they may sign in and have not changed their password.
    Raises TokenRequestProblem, ScopeProblem.
    """
    if not client.delegate:
        raise TokenRequestProblem("unauthorized_client", "This client may not act for others.")
    wanted = request.form.get("requested_token_type", ACCESS)
    require_known(authority, request, wanted)
    who = subject(request)
    # Held until the commit: who is deactivated meanwhile has ended this session, or it never began.
    user = db.session.get(
        User, tokens.user_id(who), populate_existing=True, with_for_update={"read": True}
    )
    if user is None or not tokens.may_sign_in(user):
        raise TokenRequestProblem("invalid_request", "The subject_token is of nobody active.")
    allowed = common(scopes_of(authority.config, user), who.scopes, client.scopes)
    scopes = narrow(request.form.get("scope"), allowed)
    if not scopes:
        raise TokenRequestProblem("invalid_scope", "The token and the client share no scope.")
    if wanted != REFRESH:
        ends = who.claims["exp"]
        grant = tokens.issue(authority, user, scopes, client.client_id, delegated=True, until=ends)
        return {**grant, "issued_token_type": ACCESS}
    # The name of the member is historical, says section 2.2.1: the token it holds is any.
    return {
        "access_token": families.start(
            authority.config, user, client.client_id, scopes, delegated=True
        ),
        "issued_token_type": REFRESH,
        "token_type": "N_A",
        "expires_in": int(authority.config["auth.delegation_lifetime"]),
        "scope": " ".join(scopes),
    }


def require_known(authority: Authority, request: TokenRequest, wanted: str) -> None:
    """Raise for what is asked for and not had here: it must not be ignored."""
    if request.need("subject_token_type") not in (ACCESS, JWT) or "actor_token" in request.form:
        raise TokenRequestProblem(
            "invalid_request", "An access token is exchanged, and the client itself is the actor."
        )
    if wanted not in (ACCESS, JWT, REFRESH):
        raise TokenRequestProblem("invalid_request", "There are no tokens of that type.")
    audience = authority.config["auth.audience"]
    if request.form.get("audience", audience) != audience or "resource" in request.form:
        raise TokenRequestProblem("invalid_target", f"The audience can be {audience} only.")


def subject(request: TokenRequest) -> Principal:
    """Return the person whose token is exchanged; section 2.2.2 names the code of the refusals."""
    try:
        who = request.verify(request.need("subject_token"))
    except UnauthorizedProblem as refused:
        raise TokenRequestProblem("invalid_request", str(refused)) from None
    if tokens.user_id(who) is None or "act" in who.claims:
        # Else a chain of exchanges would outlive any of its tokens.
        raise TokenRequestProblem("invalid_request", "Only a person's own token is exchanged.")
    return who
