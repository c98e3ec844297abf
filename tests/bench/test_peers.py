"""The peers are whole: they compile, they are pinned, the page about them says what is so."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench import report, run
from bench.compare import SERVERS, grant

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench"
PAGE = (ROOT / "docs/explanation/speed.rst").read_text()
OIDC = BENCH / "peers/oidc"
MAKE = "".join(path.read_text() for path in (ROOT / "Makefile", ROOT / "bench.mk"))


@pytest.mark.parametrize("path", sorted(BENCH.rglob("*.py")), ids=lambda path: path.stem)
def test_it_compiles(path: Path) -> None:
    compile(path.read_bytes(), path, "exec", dont_inherit=True)


@pytest.mark.parametrize("peer", SERVERS, ids=lambda peer: peer.name)
def test_the_program_of_a_peer_is_there(peer: object) -> None:
    words = [str(word) for word in SERVERS[SERVERS.index(peer)].command]
    modules = [word.partition(":")[0] for word in words if word.endswith(":app")]
    files = [BENCH / f"peers/{each}.py" for each in modules]
    files += [Path(word) for word in words if word.endswith(".py")]
    files += [OIDC / Path(word).name for word in words if word.endswith(".js")]
    assert len(files) == 1
    assert files[0].exists()


def test_what_node_installs_is_pinned_and_tied_to_no_registry() -> None:
    asked = json.loads((OIDC / "package.json").read_text())["dependencies"]
    lock = json.loads((OIDC / "package-lock.json").read_text())["packages"]
    assert lock.pop("")["dependencies"] == asked
    assert {f"node_modules/{name}" for name in asked} <= set(lock)
    for name, each in lock.items():
        assert each["integrity"].startswith("sha512-"), name
        assert "resolved" not in each, name


def test_all_parts_are_measured_where_none_is_named() -> None:
    assert run.chosen([], "sqlite") == ("read", "write", "auth", "start", "curves", "archives")
    assert run.chosen([], "postgresql") == ("read", "write")
    assert run.chosen(["curves", "read"], "sqlite") == ("read", "curves")


@pytest.mark.parametrize(
    ("words", "database"), [(["reed"], "sqlite"), (["curves"], "postgresql"), ([], "oracle")]
)
def test_what_is_not_there_is_refused(words: list[str], database: str) -> None:
    with pytest.raises(SystemExit, match=database):
        run.chosen(words, database)


def test_the_page_names_each_part_and_no_other() -> None:
    assert set(re.findall(r"PART=(\w+)", PAGE)) <= set(run.PARTS)
    assert set(re.findall(r"^``(\w+)``$", PAGE, re.M)) == set(run.PARTS)


def test_what_the_page_types_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKE, re.M))
    assert set(re.findall(r"``make ([a-z-]+)", PAGE)) <= targets
    read = "".join(path.read_text() for path in BENCH.glob("*.py"))
    for name in set(re.findall(r"\b([A-Z_]+)=", PAGE)) - {"PART"}:
        assert f'os.environ.get("{name}"' in read, name


def test_the_page_names_the_goals() -> None:
    told = re.sub(r"\s+", " ", PAGE)
    assert f"more than {report.TOLERANCE * 100:.0f} %" in told


def token(**changed: object) -> dict[str, Any]:
    """Return the answer of a token endpoint whose token has these claims changed."""
    head = {"typ": "at+jwt", "alg": "ES256", "kid": "1"}
    claims = {"iss": "i", "sub": "s", "aud": "glassware", "client_id": "s", "scope": "tasks:read"}
    claims |= {"iat": 1000, "exp": 1300, "jti": "1", **changed}
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()) for each in (head, claims)]
    text = ".".join(part.decode().rstrip("=") for part in parts)
    return {"access_token": f"{text}.c2ln", "token_type": "Bearer"}


def test_a_token_is_that_of_another_but_for_who_and_when() -> None:
    assert grant(token()) == grant(token(iss="x", sub="y", iat=2000, exp=2300, jti="2", nbf=2000))


@pytest.mark.parametrize("changed", [{"aud": "x"}, {"scope": "x"}, {"exp": 1301}])
def test_a_token_for_something_else_is_another(changed: dict[str, object]) -> None:
    assert grant(token()) != grant(token(**changed))


def test_what_is_no_jwt_of_three_parts_is_no_token() -> None:
    with pytest.raises(ValueError, match="unpack"):
        grant({"access_token": "opaque", "token_type": "Bearer"})
