"""No secret is ever shown, and none comes from where others can read it."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.config import ConfigError, Option, variable
from glassware.config.masks import mask

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
CANARIES = st.text(LETTERS + "!$%&'()*+,-./:;<=>?@[]^_`{|}~\"\\#", min_size=8, max_size=40).map(
    "Zq9".__add__
)
OPTIONS = [
    Option("mail.password", str, "", "Of the mail server.", secret=True),
    Option("own.urls", list, (), "Of brokers."),
]
URL = "postgresql+psycopg://tasks:{}@db.example/tasks"


def visible(config):
    return f"{config.rows()} {config!r} {config}"


@given(canary=CANARIES)
def test_no_secret_is_in_what_is_shown_of_a_configuration(new_machine, canary):
    with new_machine() as places:
        places.write(places.secrets / "mail.password", f"{canary}\n")
        places.write(places.secrets / "database.url", URL.format(quote(canary, safe="")))
        config = places.load(
            options=OPTIONS,
            overrides={
                "auth.issuer": f"https://user:{canary}@auth.example",
                "own.urls": [
                    "amqp://a/",
                    f"redis://:{quote(canary, safe='')}@b?ssl_password=Zq9{0}",
                ],
                "auth.jwks_url": f"https://auth.example/keys?access_token={quote(canary, safe='')}",
            },
        )
        assert config["mail.password"] == canary
        assert "Zq9" not in visible(config)
        assert {canary, quote(canary, safe="")} <= config.secrets()


@given(canary=CANARIES, data=st.data())
def test_no_error_quotes_a_secret(new_machine, canary, data):
    with new_machine() as places:
        environ, overrides = {}, {}
        for layer in data.draw(
            st.sets(st.sampled_from(["ini", "line", "env", "override", "file", "url"]), min_size=1)
        ):
            if layer == "ini":
                places.write(places.etc / "tasks.ini", f"[mail]\npassword = {canary}\n")
            if layer == "line":
                places.write(places.etc / "tasks.d" / "1.ini", f"[mail]\npassword\n{canary}\n")
            if layer == "env":
                environ = {variable("tasks", "mail.password"): canary}
            if layer == "override":
                overrides["mail.password"] = canary
            if layer == "file":
                places.write(places.secrets / "server.port", canary)
            if layer == "url":
                overrides["server.threads"] = URL.format(quote(canary, safe=""))
        with pytest.raises(ConfigError) as caught:
            places.load(options=OPTIONS, environ=environ, overrides=overrides)
        assert "Zq9" not in str(caught.value)
        assert "Zq9" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("layer", ["package", "ini", "environment", "command line"])
def test_a_secret_is_accepted_from_a_file_only(places, layer):
    ini = "[app]\nsecret_key = hunter2\n"
    if layer == "package":
        places.write(places.defaults, ini)
    if layer == "ini":
        places.write(places.etc / "tasks.ini", ini)
    with pytest.raises(
        ConfigError, match=r"app.secret_key is a secret; put it into the file .*/app.secret_key"
    ):
        places.load(
            package="package_with_defaults",
            environ={"GLASSWARE_TASKS__APP__SECRET_KEY": "x"} if layer == "environment" else {},
            overrides={"app.secret_key": "x"} if layer == "command line" else {},
        )


@pytest.mark.parametrize("name", ["service.mode", "service.secrets_dir"])
def test_what_says_where_the_secrets_are_cannot_stand_beside_them(places, name):
    places.write(places.secrets / name, "development")
    with pytest.raises(ConfigError, match="cannot be set beside the secrets; set it in"):
        places.load()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sqlite:////var/lib/x.sqlite", "sqlite:////var/lib/x.sqlite"),
        ("http://127.0.0.1:7001", "http://127.0.0.1:7001"),
        ("postgresql://tasks@db:5432/tasks", "postgresql://tasks@db:5432/tasks"),
        ("postgresql://tasks:p@ss/word@db:5432/t", "postgresql://tasks:********@db:5432/t"),
        ("redis://:x@h/0", "redis://:********@h/0"),
        ("db://h/n?sslpassword=a&x=1", "db://h/n?sslpassword=********&x=1"),
    ],
)
def test_only_the_password_of_a_url_is_masked(text, shown):
    assert mask(text) == shown
