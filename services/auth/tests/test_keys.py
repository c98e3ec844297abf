from __future__ import annotations

import base64
import subprocess
import sys
import threading
import time
from datetime import timedelta

import jwt
import pytest
from sqlalchemy import select

from glassware.auth.jwks import read_keys
from glassware.auth.signing import thumbprint
from glassware.config import variable
from glassware.db import now
from glassware.problems import ConflictProblem, NotFoundProblem, UnavailableProblem
from glassware.testing import assert_problem
from glassware_auth.domain.authority import Authority
from glassware_auth.domain.keys import KeyRing, key_pair
from glassware_auth.models import SigningKey, db


def parts(house) -> Authority:
    return house.app.extensions["glassware"].parts


def ring(house) -> KeyRing:
    return parts(house).keys


def states(house):
    with house.app.app_context():
        rows = db.session.scalars(select(SigningKey).order_by(SigningKey.activates_at)).all()
        return [row.state(now()) for row in rows]


def shift(house, **seconds):
    """Let time have passed for the keys."""
    with house.app.app_context():
        for row in db.session.scalars(select(SigningKey)):
            for name in ("activates_at", "retires_at", "drops_at"):
                if (moment := getattr(row, name)) is not None:
                    setattr(row, name, moment - timedelta(**seconds))
        db.session.commit()
        ring(house)._snapshot = None


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def published(house):
    return [key["kid"] for key in house.get("/.well-known/jwks.json").json["keys"]]


def works(house, token):
    headers = {"Authorization": f"Bearer {token}"}
    return house.get("/users", headers=headers).status_code == 200


@pytest.fixture
def fresh(start):
    return start()


def test_the_first_key_is_made_at_first_need(fresh):
    assert states(fresh) == []
    (key,) = fresh.get("/.well-known/jwks.json").json["keys"]
    assert states(fresh) == ["active"]
    assert key["kid"] == thumbprint(key)
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key


def test_the_key_set_may_be_cached_and_checks_the_tokens(house, alice):
    answer = house.get("/.well-known/jwks.json")
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    keys = read_keys(answer.json, frozenset({"ES256"}))
    header = jwt.get_unverified_header(alice.token)
    assert header == {"alg": "ES256", "kid": header["kid"], "typ": "at+jwt"}
    claims = jwt.decode(alice.token, keys[header["kid"]], ["ES256"], audience="glassware")
    assert claims["sub"] == alice.subject


def test_the_private_key_is_sealed_in_the_database(fresh):
    fresh.get("/.well-known/jwks.json")
    with fresh.app.app_context():
        row = db.session.scalars(select(SigningKey)).one()
    assert base64.urlsafe_b64decode(row.private)[0] == 0x80  # Fernet's version
    assert "PRIVATE" not in row.private


def test_a_key_sealed_by_another_secret_is_told_of_and_can_be_retired(fresh, restart):
    (kid,) = published(fresh)
    secrets = fresh.app.extensions["glassware"].config["service.secrets_dir"]
    (secrets / "auth.key_secret").write_text("another secret than before")
    house = restart(fresh)
    with house.app.app_context():
        with pytest.raises(UnavailableProblem, match=kid):
            ring(house).signer()
        ring(house).retire(kid)
        assert ring(house).signer().kid != kid


PLACES = ("service.mode", "service.state_dir", "service.secrets_dir", "database.url")
WORKERS = """
import os, sys, time
from glassware_auth.app import service

def work(at):
    app = service.create_app({}, environ=dict(pair.split("=", 1) for pair in sys.argv[1:]))
    time.sleep(max(0, at - time.monotonic()))
    keys = app.test_client().get("/.well-known/jwks.json").json["keys"]
    os.write(1, "".join(key["kid"] + " " for key in keys).encode())

at = time.monotonic() + 0.5
for _ in range(4):
    if os.fork() == 0:
        work(at)
        os._exit(0)
sys.exit(any([os.wait()[1] for _ in range(4)]))
"""


def test_processes_that_need_the_first_key_at_once_end_with_one(fresh):
    """The workers fork and then make their apps, as the server's do."""
    config = fresh.app.extensions["glassware"].config
    places = [f"{variable('auth', name)}={config[name]}" for name in PLACES]
    command = [sys.executable, "-c", WORKERS, *places]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout.split() == published(fresh) * 4
    assert states(fresh) == ["active"]


def test_threads_that_need_the_first_key_at_once_end_with_one(fresh):
    count = fresh.app.extensions["glassware"].config["server.threads"]
    barrier, seen = threading.Barrier(count), []

    def ask():
        barrier.wait()
        seen.append(tuple(published(fresh)))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == count
    assert len(set(seen)) == 1
    assert states(fresh) == ["active"]


def test_a_rotation_is_published_before_it_signs_and_after_it_signed(fresh):
    person = fresh.person(admin=True)
    with fresh.app.app_context():
        new = ring(fresh).rotate().kid
    old = kid_of(person.token)
    assert states(fresh) == ["active", "next"]
    assert published(fresh) == [old, new]
    assert kid_of(fresh.login(person).json["access_token"]) == old
    shift(fresh, seconds=901)
    assert states(fresh) == ["retired", "active"]
    assert published(fresh) == [old, new]
    assert kid_of(fresh.login(person).json["access_token"]) == new
    assert works(fresh, person.token)
    shift(fresh, seconds=361)
    assert states(fresh) == ["dropped", "active"]
    assert published(fresh) == [new]
    assert not works(fresh, person.token)


def test_a_dropped_key_outlived_every_token_it_signed(fresh):
    config = fresh.app.extensions["glassware"].config
    assert ring(fresh).lifetime.total_seconds() >= config["auth.access_lifetime"] + 30


def test_a_rotation_at_once_signs_at_once_and_brings_forward_what_is_published(fresh):
    person = fresh.person(admin=True)
    with fresh.app.app_context():
        upcoming = ring(fresh).rotate().kid
        with pytest.raises(ConflictProblem):
            ring(fresh).rotate()
        assert ring(fresh).rotate(at_once=True).kid == upcoming
    assert states(fresh) == ["retired", "active"]
    assert kid_of(fresh.login(person).json["access_token"]) == upcoming
    assert works(fresh, person.token)


def test_another_process_follows_a_rotation(fresh, restart):
    person = fresh.person(admin=True)
    with fresh.app.app_context():
        other = Authority.of(parts(fresh).config).keys
        new = other.rotate(at_once=True).kid
        other_token = jwt.encode({}, other.signer().private, "ES256", headers={"kid": new})
        # A key that this process has not met is looked up at once ...
        assert ring(fresh).find(kid_of(other_token)).key_id == new
    # ... and signs here, too, within seconds.
    ring(fresh)._snapshot = ring(fresh)._snapshot._replace(read_at=time.monotonic() - 2.1)
    assert kid_of(fresh.login(person).json["access_token"]) == new


@pytest.mark.parametrize("compromised", [False, True])
def test_retiring_the_active_key_makes_a_new_one(fresh, compromised):
    person = fresh.person(admin=True)
    with fresh.app.app_context():
        ring(fresh).retire(kid_of(person.token), compromised)
    assert states(fresh) == ["dropped" if compromised else "retired", "active"]
    assert works(fresh, person.token) is not compromised
    assert works(fresh, fresh.login(person).json["access_token"])


def test_retiring_the_next_key_lets_the_present_one_go_on(fresh):
    (old,) = published(fresh)
    with fresh.app.app_context():
        new = ring(fresh).rotate().kid
        ring(fresh).retire(new, compromised=True)
    shift(fresh, hours=1)
    assert states(fresh).count("active") == 1
    assert published(fresh) == [old]
    with fresh.app.app_context():
        ring(fresh).rotate(at_once=True)
    assert sorted(states(fresh)) == ["active", "dropped", "retired"]


def test_a_compromised_key_is_erased(fresh):
    (old,) = published(fresh)
    with fresh.app.app_context():
        ring(fresh).retire(old, compromised=True)
        assert db.session.get_one(SigningKey, old).private == ""


def test_a_key_that_is_not_there_cannot_be_retired(fresh):
    with fresh.app.app_context(), pytest.raises(NotFoundProblem):
        ring(fresh).retire("nothing")


def test_of_two_rotations_at_once_one_counts(fresh):
    published(fresh)
    rings = [Authority.of(parts(fresh).config).keys for _ in range(6)]
    barrier, outcomes = threading.Barrier(6), []

    def rotate(keys):
        with fresh.app.app_context():
            barrier.wait()
            try:
                outcomes.append(keys.rotate().kid)
            except ConflictProblem:
                outcomes.append(None)

    threads = [threading.Thread(target=rotate, args=(keys,)) for keys in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([kid for kid in outcomes if kid]) == 1
    assert states(fresh) == ["active", "next"]


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_other_algorithms_sign_when_every_service_accepts_them(start, algorithm):
    house = start({"auth.signing_algorithm": algorithm, "auth.algorithms": f"ES256, {algorithm}"})
    person = house.person(admin=True)
    assert jwt.get_unverified_header(person.token)["alg"] == algorithm
    assert works(house, person.token)
    (key,) = house.get("/.well-known/jwks.json").json["keys"]
    assert key["kid"] == thumbprint(key)
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)


def test_a_token_of_an_invented_key_is_refused(house):
    token = jwt.encode(
        {"sub": "x"}, "k" * 32, "HS256", headers={"kid": "../../etc/passwd", "typ": "at+jwt"}
    )
    headers = {"Authorization": f"Bearer {token}"}
    assert_problem(house.get("/users", headers=headers), 401)


def test_no_kid_is_taken_for_an_option_when_it_is_typed():
    kids = {key_pair("ES256")[1]["kid"] for _ in range(500)}
    assert len(kids) == 500
    assert not [kid for kid in kids if kid.startswith("-")]
