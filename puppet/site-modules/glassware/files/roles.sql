-- The database of one service and its two roles, for psql as a superuser:
--
--     psql -v service=tasks -f roles.sql
--
-- tasks_migrate owns the schema and alone changes it: `manage.py db upgrade` connects as it, by the
-- option database.migrations_url. tasks_serve reads and writes rows and can run no DDL: the serving
-- processes connect as it, by database.url. Neither has a password here; either let the server know
-- them by their Unix user (peer authentication, see docs/howto/postgresql), or give them one with
-- \password and put the URLs into the service's credentials.

\set ON_ERROR_STOP on
\set serve :service _serve
\set migrate :service _migrate

CREATE ROLE :"migrate" LOGIN;
CREATE ROLE :"serve" LOGIN;
CREATE DATABASE :"service" OWNER :"migrate" ENCODING 'UTF8' TEMPLATE template0;

-- By default everybody may connect to every database, and make temporary tables in it.
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"serve";

\connect :service

REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"migrate";
GRANT USAGE ON SCHEMA public TO :"serve";

-- What the migrations will make, the serving role may use from the moment it is there.
ALTER DEFAULT PRIVILEGES FOR ROLE :"migrate" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"serve";
ALTER DEFAULT PRIVILEGES FOR ROLE :"migrate" IN SCHEMA public
    GRANT USAGE ON SEQUENCES TO :"serve";

-- A statement that hangs must not hold a worker, nor a lock, for ever.
ALTER ROLE :"serve" SET statement_timeout = '30s';
ALTER ROLE :"serve" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE :"migrate" SET lock_timeout = '10s';
