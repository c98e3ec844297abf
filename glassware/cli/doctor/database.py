"""The database: is it there, is it of this version, who may do what to it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text

from glassware.cli.doctor.case import Case
from glassware.db.drift import drift
from glassware.db.roles import foreign_objects, lacking_rights, most_connections, powers


def symptom_the_database_does_not_answer(case: Case) -> Iterator[str]:
    """The database cannot be reached.

    Every request that needs it is answered by a 503. Check database.url, that the server runs and
    lets the service's role in; for a SQLite file that is not there yet, run `manage.py db upgrade`.
    """
    if case.database_trouble:
        yield case.database_trouble


def symptom_the_schema_is_behind(case: Case) -> Iterator[str]:
    """The database lacks migrations that the code needs.

    The service is not ready, and requests that need them fail. Run `manage.py db upgrade`.
    """
    found = case.standing
    if found and found.current != found.newest and not found.ahead:
        yield f"the database is at {found.current}, the code at {found.newest}"


def symptom_the_schema_is_ahead(case: Case) -> Iterator[str]:
    """The database was migrated by a newer version of the service than this one.

    That is well for a rollback: the version before a migration works with what it leaves. Do not
    stay there: install the newer version again, or restore a backup that this one made.
    """
    if case.standing and case.standing.ahead:
        yield f"the database is at {case.standing.current}, the code at {case.standing.newest}"


def symptom_the_schema_is_not_as_the_models_are(case: Case) -> Iterator[str]:
    """The database is at the right migration, and yet not as the code expects it.

    Somebody changed it by hand, or a migration lacks something. Undo the change, or write the
    migration; `manage.py db check` says when all is well.
    """
    found, database = case.standing, case.service.database
    if case.connection and database and found and found.current == found.newest:
        yield from drift(case.connection, database.metadata)


def symptom_the_serving_role_may_do_too_much(case: Case) -> Iterator[str]:
    """The role that serves requests may do more to PostgreSQL than read and write rows.

    Whoever gets into the service could change the schema, or leave the database. Make the roles as
    glassware/db/roles.sql does, and connect as the one that serves by database.url.
    """
    if case.postgresql and case.connection:
        yield from powers(case.connection)


def symptom_the_serving_role_may_do_too_little(case: Case) -> Iterator[str]:
    """The role that serves requests has not all the rights to the tables that it needs.

    Requests that need them fail with a 500. As the role that owns the schema: GRANT SELECT, INSERT,
    UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO the serving role; and see the default
    privileges in glassware/db/roles.sql.
    """
    if case.postgresql and case.connection:
        yield from lacking_rights(case.connection)


def symptom_statements_may_take_for_ever(case: Case) -> Iterator[str]:
    """The serving role has no statement_timeout in PostgreSQL.

    One hanging statement holds a worker thread, and what it has locked, until somebody ends it.
    ALTER ROLE it SET statement_timeout = '30s'.
    """
    limit = text("SHOW statement_timeout")
    if case.postgresql and case.connection and case.connection.scalar(limit) == "0":
        yield "statement_timeout is 0"


def symptom_the_server_has_too_few_connections(case: Case) -> Iterator[str]:
    """PostgreSQL admits fewer connections than the service may open at the same time.

    Under load some requests are answered by a 503. Raise max_connections, or lower server.workers
    or server.threads. Other services of the same server count too.
    """
    if case.postgresql and case.connection:
        wanted = case.config["server.workers"] * (2 * case.config["server.threads"] + 2)
        admitted = most_connections(case.connection)
        if wanted > admitted:
            yield f"up to {wanted} are wanted, {admitted} are admitted"


def symptom_one_role_serves_and_migrates(case: Case) -> Iterator[str]:
    """The migrations have no role of their own on PostgreSQL.

    Then the role that serves owns the schema. Set database.migrations_url to a role that owns it,
    and database.url to one that does not: glassware/db/roles.sql makes both.
    """
    urls = case.config["database.migrations_url"], case.config["database.url"]
    if case.postgresql and (not urls[0] or urls[0] == urls[1]):
        yield "database.migrations_url names no other role than database.url"


def symptom_the_migrating_role_cannot_migrate(case: Case) -> Iterator[str]:
    """The role of database.migrations_url does not get in, or does not own all of the schema.

    The next `manage.py db upgrade` fails. Let it in, and give it what belongs to others: ALTER
    TABLE ... OWNER TO it.
    """
    connection, trouble = case.owner
    if trouble:
        yield trouble
    elif connection and case.postgresql:
        yield from foreign_objects(connection)
