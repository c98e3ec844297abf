"""PostgreSQL's two roles, as ``roles.sql`` makes them: what of it does not hold."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

#: What a role may do that the serving one must not, in words.
POWERS = text("""
    SELECT unnest(ARRAY[
        CASE WHEN r.rolsuper THEN 'is a superuser' END,
        CASE WHEN r.rolcreatedb THEN 'may create databases' END,
        CASE WHEN r.rolcreaterole THEN 'may create roles' END,
        CASE WHEN r.rolbypassrls THEN 'is not bound by row security' END,
        CASE WHEN has_schema_privilege('public', 'CREATE') THEN 'may create tables' END,
        CASE WHEN has_database_privilege(current_database(), 'CREATE')
            THEN 'may create schemas' END,
        CASE WHEN has_database_privilege(current_database(), 'TEMPORARY')
            THEN 'may create temporary tables' END
    ]) FROM pg_roles r WHERE r.rolname = current_user
    UNION ALL
    SELECT 'owns ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        AND pg_has_role(relowner, 'USAGE')
""")
#: The tables of which a role has not every right that a service needs.
LACKS = text("""
    SELECT c.relname || ': ' || string_agg(r.name, ', ') FROM pg_class c,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r(name)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        AND NOT has_table_privilege(c.oid, r.name)
    GROUP BY c.relname ORDER BY c.relname
""")
#: What the owner of the schema ought to own, and does not.
FOREIGN = text("""
    SELECT 'the schema public belongs to ' || pg_get_userbyid(nspowner) FROM pg_namespace
    WHERE nspname = 'public' AND NOT pg_has_role(nspowner, 'USAGE')
    UNION ALL
    SELECT c.relname || ' belongs to ' || pg_get_userbyid(c.relowner) FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
        AND NOT pg_has_role(c.relowner, 'USAGE')
""")
CONNECTIONS = text("""
    SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int,
        rolconnlimit FROM pg_roles WHERE rolname = current_user
""")


def powers(connection: Connection) -> Iterator[str]:
    """Yield what the connection's role may do that a serving role must not."""
    for (power,) in connection.execute(POWERS):
        if power is not None:
            yield power


def lacking_rights(connection: Connection) -> Iterator[str]:
    """Yield the tables that the connection's role cannot wholly read and write."""
    yield from connection.scalars(LACKS)


def foreign_objects(connection: Connection) -> Iterator[str]:
    """Yield what in the schema the connection's role cannot change."""
    yield from connection.scalars(FOREIGN)


def most_connections(connection: Connection) -> int:
    """Return how many connections the role may have at most, everybody else's included."""
    server, role = connection.execute(CONNECTIONS).one()
    return int(server if role < 0 else min(server, role))
