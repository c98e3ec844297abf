"""What must hold when things happen at the same moment; each on whatever database there is."""

from __future__ import annotations

import threading

from glassware.testing import assert_problem

NEW = "another long password"


def test_no_session_that_began_with_the_old_password_outlives_it(start):
    """Signing in takes as long as hashing does, so that a change easily falls into the middle."""
    house = start({"auth.failures": "10000"})
    for _ in range(4):
        person, grants, stop = house.person(), [], threading.Event()

        def sign_in(person=person, grants=grants, stop=stop):
            while not stop.is_set():
                answer = house.login(person)
                if answer.status_code == 200:
                    grants.append(answer.json["refresh_token"])

        threads = [threading.Thread(target=sign_in) for _ in range(2)]
        for thread in threads:
            thread.start()
        passwords = {"old_password": person.secret, "new_password": NEW}
        changed = house.post(f"/users/{person.subject}/password", person, json=passwords)
        stop.set()
        for thread in threads:
            thread.join()
        assert changed.status_code == 204
        for token in grants:
            assert house.refresh(token).status_code == 400
        assert_problem(house.login(person), 401, "unauthorized")
        person.secret = NEW
        assert house.login(person).status_code == 200
