"""``manage.py jobs``, on the toy shop."""

from __future__ import annotations

from uuid import uuid4

from click.testing import CliRunner, Result
from flask.cli import ScriptInfo

from glassware.cli.jobs import jobs

from .conftest import Shop


def told(shop: Shop, *words: str) -> Result:
    return CliRunner().invoke(jobs, words, obj=ScriptInfo(create_app=lambda: shop.app))


def test_an_operator_sees_everybodys_jobs_and_nothing_of_what_is_sealed(shop: Shop) -> None:
    first, second = (shop.order("build", name="Teddy").rpartition("/")[2] for _ in range(2))
    listed = told(shop, "list")
    assert listed.exit_code == 0, listed.output
    assert [line.split()[0] for line in listed.output.splitlines()] == ["id", second, first]
    assert told(shop, "list", "--state", "done").output.count("\n") == 1
    shown = told(shop, "show", first)
    assert f'owner: "{shop.me}"\n' in shown.output
    assert 'state: "waiting"\n' in shown.output
    assert "sealed" not in shown.output
    assert "Teddy" not in shown.output


def test_a_job_that_is_cancelled_is_not_done(shop: Shop) -> None:
    url = shop.order("build")
    assert told(shop, "cancel", url.rpartition("/")[2]).exit_code == 0
    assert not shop.step()
    assert shop.look(url)["state"] == "cancelled"


def test_a_job_that_is_not_there_is_said_to_be_none(shop: Shop) -> None:
    for word in ("show", "cancel"):
        refused = told(shop, word, str(uuid4()))
        assert refused.exit_code == 1
        assert "There is no job" in refused.output
    assert told(shop, "show", "nonsense").exit_code == 2
