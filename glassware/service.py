"""A service: declared as data, wired here and nowhere else. ``create_app`` reads top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import httpx2
from flask import Flask, has_request_context, request

from glassware.api import Resource, Runtime, errors
from glassware.api.app import App
from glassware.api.declare import register
from glassware.api.lane import Lane
from glassware.api.singles import Singles
from glassware.api.system import SYSTEM, Fault
from glassware.auth.jwks import RemoteKeys
from glassware.auth.memory import TokenMemory
from glassware.auth.principal import ANONYMOUS
from glassware.auth.signatures import FindSigner, SignatureVerifier
from glassware.auth.tokens import FindKey, TokenVerifier
from glassware.client import Client, Delegate
from glassware.client.transports import BreakerTransport, MeterTransport, NetworkTransport
from glassware.config import CHASSIS, Config, ConfigError, Option
from glassware.db import Database, engine_options
from glassware.db.once import spend
from glassware.db.standing import require_head
from glassware.jobs import Jobs, Queue
from glassware.jobs.kinds import running
from glassware.jobs.resources import RESOURCES as JOBS
from glassware.limits import BehindProxies, advertise, limiter, restrict, secure, share
from glassware.observe import vitals
from glassware.observe.edge import Edge
from glassware.observe.health import Checks
from glassware.observe.metrics import Metrics
from glassware.openapi import DOCUMENTATION, Neighbours, Pages, neighbours

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from glassware.jobs.carrier import Carrier

Transports = Mapping[str, httpx2.BaseTransport]


@dataclass(frozen=True)
class Service:
    """What a service is made of.

    ``siblings`` maps the name of each neighbour it calls to the neighbour's default URL.
    ``find_key`` is given by the issuer itself, which has its keys at hand; every other service
    fetches them. ``find_signer`` lets callers sign their requests; it needs a database, where the
    nonces are kept. ``jobs`` are done by ``manage.py worker``, and act within the scopes of
    ``delegation`` for people who have gone. ``make_parts`` makes what the service keeps for as long
    as the app lives, which its resources find as ``runtime().parts``.
    """

    name: str
    package: str
    resources: tuple[type[Resource], ...]
    summary: str = ""
    options: tuple[Option, ...] = ()
    database: Database | None = None
    siblings: Mapping[str, str] = field(default_factory=dict)
    find_key: FindKey | None = None
    find_signer: FindSigner | None = None
    jobs: Jobs | None = None
    delegation: tuple[str, ...] = ()
    make_parts: Callable[[Config], Any] | None = None

    def configure(
        self,
        overrides: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Config:
        """Read the configuration. Raises ConfigError."""
        return Config.load(
            service=self.name,
            options=self.declared(),
            package=self.package,
            environ=os.environ if environ is None else environ,
            overrides=overrides or {},
        )

    def declared(self) -> Sequence[Option]:
        """Return every option of the service, the chassis's first."""
        siblings = [
            Option(f"siblings.{name}", str, url, f"Where the {name} service is.")
            for name, url in self.siblings.items()
        ]
        return [*CHASSIS, *siblings, *self.options]

    def create_app(
        self,
        overrides: Mapping[str, str] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        transports: Transports | None = None,
    ) -> Flask:
        """Return the WSGI app.

        ``transports`` replace the network to the neighbours, by name. Raises ConfigError and
        DeclarationError, before anything is served.
        """
        config = self.configure(overrides, environ)
        kind = App if config["fast.dispatch"] else Flask
        app = kind(self.package, static_folder=None)
        app.url_map.strict_slashes = False
        restrict(app, config)
        secure(app)
        share(app, config)
        advertise(app)
        checks, metrics = Checks(), Metrics()
        if self.database is not None:
            self.attach_database(app, config, self.database, checks)
        # One network for all clients: each would have a TLS context and pools of its own.
        network = NetworkTransport()
        shown = neighbours(config, self.siblings)
        ways = {**dict.fromkeys([*self.siblings, *shown, "auth"], network), **(transports or {})}
        metered = {name: MeterTransport(way, name, metrics) for name, way in ways.items()}
        siblings = self.clients(config, guarded(config, metered, metrics))
        app.extensions["glassware"] = Runtime(
            service=self.name,
            summary=self.summary,
            release=version(self.package.replace("_", "-")),
            config=config,
            verifier=self.verifier(config, metered, checks, metrics),
            siblings=siblings,
            checks=checks,
            metrics=metrics,
            limiter=limiter(self.name, config, metrics),
            signatures=self.signatures(config),
            pages=Pages(config, Neighbours(shown, metered)),
            database=self.database,
            singles=Singles(self.database) if self.database and config["fast.writes"] else None,
            parts=self.make_parts(config) if self.make_parts else None,
            jobs=self.queue(app, config, metrics, delegate(config, metered)),
        )
        vitals.watch(metrics, config, checks, app.extensions["glassware"].release)
        errors.install(app)
        toys = (Fault,) if config["service.mode"] == "development" else ()
        more = JOBS if self.jobs else ()
        resources = (*SYSTEM, *DOCUMENTATION, *toys, *more, *self.resources)
        register(app, resources)
        edge: WSGIApplication = Edge(app.wsgi_app, self.name, metrics=metrics)
        if config["fast.reads"] or config["fast.writes"]:
            edge = Lane(app, edge, app.extensions["glassware"], resources)
        vars(app)["wsgi_app"] = BehindProxies(edge, config["server.proxies"])
        return app

    def attach_database(
        self, app: Flask, config: Config, database: Database, checks: Checks
    ) -> None:
        app.config["SQLALCHEMY_DATABASE_URI"] = config["database.url"]
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(
            config["database.url"], config["server.threads"]
        )
        app.config["MIGRATIONS_URL"] = config["database.migrations_url"]
        app.config["MIGRATIONS"] = directory = str(files(self.package) / "migrations")
        database.init_app(app)

        def schema_is_current() -> None:
            with app.app_context():
                require_head(database, directory)

        checks.add("database", schema_is_current)

    def clients(self, config: Config, transports: Transports) -> dict[str, Client]:
        return {
            name: Client(
                name,
                config[f"siblings.{name}"],
                transport=transports[name],
                timeout=config["client.timeout"],
                retries=config["client.retries"],
                retry_share=config["client.retry_share"],
                token=relayed_token,
            )
            for name in self.siblings
        }

    def queue(
        self, app: Flask, config: Config, metrics: Metrics, delegate: Delegate | None
    ) -> Queue | None:
        if self.jobs is None:
            return None
        database = self.database
        if database is None:
            raise ValueError(f"{self.name} has jobs, and no database for them")
        with app.app_context():
            carries = carrier(config, self.name)
            queue = Queue(self.jobs, database.engine, database.session, config, carries, delegate)
        metrics.watch("jobs", "Jobs by kind and state.", queue.counts, ("kind", "state"))
        return queue

    def signatures(self, config: Config) -> SignatureVerifier | None:
        if self.find_signer is None:
            return None
        database = self.database
        if database is None:
            raise ValueError(f"{self.name} has a find_signer, and no database for the nonces")
        return SignatureVerifier(
            self.find_signer,
            lambda digest, until: spend(database.engine, database.nonces, digest, until),
            max_age=config["auth.signature_age"],
            leeway=config["auth.leeway"],
        )

    def verifier(
        self, config: Config, transports: Transports, checks: Checks, metrics: Metrics
    ) -> TokenVerifier:
        if self.find_key is not None:
            return token_verifier(self.find_key, config)
        keys = remote_keys(config, transports["auth"])
        checks.add("keys", keys.ready)
        metrics.watch(
            "auth_keys_age_seconds",
            "Seconds since the issuer's keys were fetched.",
            lambda: {(): keys.age()},
        )
        verifier = token_verifier(keys.find, config)
        if config["fast.tokens"]:
            memory = TokenMemory(verifier.verify, lambda: keys.epoch, verifier.leeway)
            verifier.check = memory.principal
        return verifier


def guarded(config: Config, transports: Transports, metrics: Metrics) -> Transports:
    """Return the transports, each with a breaker; the fetching of keys has a guard of its own."""
    return {
        name: BreakerTransport(
            transport,
            name,
            metrics,
            failures=config["client.breaker_failures"],
            pause=config["client.breaker_pause"],
            patience=config["client.timeout"],
        )
        for name, transport in transports.items()
    }


def token_verifier(find_key: FindKey, config: Config) -> TokenVerifier:
    return TokenVerifier(
        find_key,
        issuer=config["auth.issuer"],
        audience=config["auth.audience"],
        algorithms=config["auth.algorithms"],
        leeway=config["auth.leeway"],
    )


def relayed_token() -> str | None:
    """Return the token of the caller that the present request, or job, serves."""
    if run := running():
        return run.token or None
    if not has_request_context():
        return None
    return request.environ.get("glassware.principal", ANONYMOUS).token or None


def carrier(config: Config, service: str) -> Carrier | None:
    """Return what carries jobs between hosts, as configured. Raises ConfigError."""
    if not config["jobs.broker"]:
        return None
    try:
        from glassware.jobs.carrier import Carrier
    except ModuleNotFoundError as error:
        raise ConfigError(f"jobs.broker needs glassware[brokers]: {error}") from None
    return Carrier(config["jobs.broker"], service)


def delegate(config: Config, transports: Transports) -> Delegate | None:
    """Return the service as a client of the issuer; None where it has no secret."""
    if not config["auth.client_secret"]:
        return None
    issuer = Client(
        "auth",
        config["auth.issuer"],
        transport=transports["auth"],
        timeout=config["client.timeout"],
    )
    return Delegate(issuer, config["auth.client_id"], config["auth.client_secret"])


def remote_keys(config: Config, transport: httpx2.BaseTransport) -> RemoteKeys:
    url = config["auth.jwks_url"] or config["auth.issuer"].rstrip("/") + "/.well-known/jwks.json"
    client = Client(
        "auth", url, transport=transport, timeout=config["auth.keys_timeout"], retries=0
    )

    def fetch() -> Mapping[str, Any]:
        document: Mapping[str, Any] = client.get(url)
        return document

    return RemoteKeys(
        fetch,
        config["auth.algorithms"],
        refresh=config["auth.keys_refresh"],
        cooldown=config["auth.keys_cooldown"],
        grace=config["auth.keys_grace"],
    )
