"""The options that every service has."""

from __future__ import annotations

from pathlib import Path

from glassware.config.networks import Networks
from glassware.config.option import Option

SERVICE = (
    Option(
        "service.mode",
        str,
        "production",
        "In development a missing secret is generated. In production the service refuses to start"
        " without secrets of its own.",
        choices=("production", "development"),
    ),
    Option(
        "service.state_dir",
        Path,
        Path("/var/lib/glassware/{service}"),
        "Folder of everything the service must not lose. Other options may refer to it as"
        " {state_dir}.",
    ),
    Option(
        "service.secrets_dir",
        Path,
        Path("/etc/glassware/credentials/{service}"),
        "Folder of the secrets, one file each, named section.option. Under systemd the folder that"
        " the unit's LoadCredential= provides is read in its place. Any option may be given by"
        " such a file, for instance a database.url with a password.",
    ),
    Option(
        "service.public_url",
        str,
        "",
        "URL under which callers reach the service, for the links in its answers. Empty: taken"
        " from each request.",
    ),
)

SERVER = (
    Option("server.host", str, "127.0.0.1", "Address to listen on."),
    Option(
        "server.port", int, 7000, "Port to listen on; 0 takes a free one.", minimum=0, maximum=65535
    ),
    Option(
        "server.kind",
        str,
        "gunicorn",
        "What answers the requests: gunicorn, or granian, which is faster and needs the extra"
        " glassware[granian].",
        choices=("gunicorn", "granian"),
    ),
    Option("server.workers", int, 2, "Processes that answer requests.", minimum=1),
    Option("server.threads", int, 4, "Requests that each process answers at once.", minimum=1),
    Option(
        "server.trusted_hosts",
        list,
        ("127.0.0.1", "localhost", "[::1]"),
        "Names that callers may use in the Host header; a leading dot admits subdomains. A request"
        " for any other name is refused.",
        minimum=1,
    ),
    Option(
        "server.cors_origins",
        list,
        (),
        "Origins whose pages may call the service from a browser, such as https://app.example.org;"
        " * in the place of the port is any. They bring tokens: cookies are never looked at.",
        development=("http://127.0.0.1:*", "http://localhost:*"),
    ),
    Option(
        "server.proxies",
        Networks,
        (),
        "Networks of the proxies that stand ahead, each of which adds the address that called it"
        " to X-Forwarded-For. What comes from anywhere else is not believed, but for a Unix"
        " socket.",
    ),
    Option(
        "server.max_body",
        int,
        1_048_576,
        "Largest request body in bytes, unless a resource sets its own limit.",
        minimum=1,
    ),
    Option(
        "server.timeout",
        float,
        30.0,
        "Seconds after which a worker that no longer answers is replaced, and in which requests"
        " may finish at a restart.",
        minimum=1,
    ),
)

DATABASE = (
    Option(
        "database.url",
        str,
        "sqlite:///{state_dir}/{service}.sqlite",
        "Database of the service. PostgreSQL is postgresql+psycopg://host/name; a URL with a"
        " password belongs into a secrets file.",
    ),
    Option(
        "database.migrations_url",
        str,
        "",
        "Database URL of the role that owns the schema, for `manage.py db`. Empty: database.url.",
    ),
)

AUTH = (
    Option(
        "auth.issuer",
        str,
        "http://127.0.0.1:7001",
        "Issuer of the tokens that the service accepts, exactly as in their iss claim.",
    ),
    Option(
        "auth.client_id",
        str,
        "{service}",
        "Name of the service as a client of the issuer, for jobs that act for people.",
    ),
    Option(
        "auth.client_secret",
        str,
        "",
        "Secret of that client, which must be a delegate. Empty: a job keeps its caller's token.",
        secret=True,
    ),
    Option(
        "auth.audience",
        str,
        "glassware",
        "Audience that a token must name (aud) to be accepted here.",
    ),
    Option(
        "auth.algorithms",
        list,
        ("ES256",),
        "Signature algorithms accepted in tokens. HS256 shares the signing key with every service"
        " that verifies: avoid it where another will do.",
        choices=("ES256", "RS256", "EdDSA", "HS256"),
        minimum=1,
    ),
    Option(
        "auth.leeway",
        float,
        30.0,
        "Seconds that the issuer's clock may differ from ours.",
        minimum=0,
    ),
    Option(
        "auth.signature_age",
        float,
        300.0,
        "Seconds for which a signed request may be sent; its nonce is remembered for longer.",
        minimum=1,
    ),
    Option(
        "auth.jwks_url",
        str,
        "",
        "Where the issuer publishes its keys. Empty: the issuer's /.well-known/jwks.json.",
    ),
    Option(
        "auth.keys_refresh",
        float,
        300.0,
        "Seconds after which the issuer's keys are fetched anew.",
        minimum=1,
    ),
    Option(
        "auth.keys_grace",
        float,
        86_400.0,
        "Seconds for which keys once seen are trusted while the issuer does not answer.",
        minimum=1,
    ),
    Option(
        "auth.keys_cooldown",
        float,
        5.0,
        "Seconds to wait between two attempts to fetch the keys, so that tokens with invented key"
        " ids cannot flood the issuer.",
        minimum=0,
    ),
    Option(
        "auth.keys_timeout",
        float,
        2.0,
        "Seconds to wait for the issuer's keys.",
        minimum=0.01,
    ),
)

CLIENT = (
    Option(
        "client.timeout",
        float,
        5.0,
        "Seconds to wait for a neighbour, all attempts together.",
        minimum=0.01,
    ),
    Option(
        "client.retries",
        int,
        2,
        "Further attempts after a call that failed and may safely be repeated.",
        minimum=0,
    ),
    Option(
        "client.retry_share",
        float,
        0.2,
        "Most that further attempts may be of all calls to a neighbour; a few are always allowed.",
        minimum=0,
        maximum=1,
    ),
    Option(
        "client.breaker_failures",
        int,
        5,
        "Failed calls in a row, after which a neighbour is not called for a while.",
        minimum=1,
    ),
    Option(
        "client.breaker_pause",
        float,
        2.0,
        "Seconds for which it is not; then one call tries whether it is back.",
        minimum=0,
    ),
)

LIMITS = (
    Option(
        "limits.default",
        str,
        "600/minute",
        "Requests that a caller may make, per second, minute, hour or day, of all resources"
        " together that have no limit of their own. Empty: any number.",
    ),
    Option(
        "limits.storage",
        str,
        "memory://",
        "Where requests are counted: memory:// counts in each process for itself,"
        " redis://host:6379/0 in all of them together. Empty: nothing is limited.",
        development="",
    ),
)

IDEMPOTENCY = (
    Option(
        "idempotency.keep",
        float,
        86_400.0,
        "Seconds for which the answer to a request with an Idempotency-Key is kept.",
        minimum=1,
    ),
)

FAST = (
    Option(
        "fast.dispatch",
        bool,
        True,
        "Leave out of Flask's way what no service has: sessions, coroutines, subdomains.",
    ),
    Option(
        "fast.tokens",
        bool,
        True,
        "Remember verified tokens until they expire, in place of checking each at each request.",
    ),
    Option(
        "fast.reads",
        bool,
        True,
        "Answer plain reads before Flask, by statements and writers that are built once.",
    ),
    Option(
        "fast.writes",
        bool,
        True,
        "Answer plain writes before Flask, by loaders and statements that are built once.",
    ),
)

JOBS = (
    Option("jobs.threads", int, 2, "Jobs that a worker does at once.", minimum=1),
    Option("jobs.poll", float, 1.0, "Seconds between two looks for a job that waits."),
    Option(
        "jobs.broker",
        str,
        "",
        "What carries jobs to workers on several hosts: redis://host:6379/0 or amqp://host/, by"
        " glassware[brokers]. Empty: workers find them in the database, as they do what a broker"
        " loses. A URL with a password belongs into a secrets file.",
    ),
    Option("jobs.lease", float, 30.0, "Seconds until a dead worker's job is taken over."),
    Option("jobs.keep", float, 86_400.0, "Seconds that a finished job and its result are kept."),
    Option("jobs.per_owner", int, 20, "Unfinished jobs that one caller may have.", minimum=1),
)

OTHERS = (
    Option(
        "log.level",
        str,
        "INFO",
        "Least level that is logged.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    Option(
        "traces.endpoint",
        str,
        "",
        "Where spans are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; they are"
        " made of the log lines of requests and calls. Needs glassware[traces].",
    ),
    Option(
        "app.secret_key",
        str,
        None,
        "Signs cursors and links. Whoever knows it can forge them; changing it invalidates those"
        " in use.",
        secret=True,
    ),
    Option(
        "metrics.allow",
        Networks,
        ("127.0.0.0/8", "::1/128"),
        "Networks that may read /metrics. A proxy on this machine must not pass it on.",
    ),
    Option(
        "suite.services",
        list,
        (),
        "Services that the start page links to and shows the health of, each as name=URL. Empty:"
        " the siblings.",
    ),
    Option("paging.limit", int, 50, "Items on a page when the caller does not say.", minimum=1),
    Option("paging.max_limit", int, 200, "Most items a caller may ask for at once.", minimum=1),
)

CHASSIS: tuple[Option, ...] = (
    *SERVICE,
    *SERVER,
    *DATABASE,
    *AUTH,
    *CLIENT,
    *LIMITS,
    *IDEMPOTENCY,
    *FAST,
    *JOBS,
    *OTHERS,
)
