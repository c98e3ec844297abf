"""Orders: which of them are the same job, what it tells of its progress, how many one may have."""

from __future__ import annotations

from glassware.testing import assert_problem

INLINE = [{"name": "a", "text": "one"}, {"name": "b", "text": "two"}]
ELSEWHERE = [{"name": "a", "service": "tasks", "path": "/tasks"}]


def test_progress_is_in_bytes_and_in_entries(make):
    job = make().built(INLINE)
    assert (job["state"], job["steps"], job["steps_total"]) == ("done", 2, 2)
    assert job["done"] > 100
    assert job["seconds_left"] is None


def test_the_length_that_is_known_before_is_the_total(make):
    job = make().built(INLINE, compression="store")
    assert job["total"] == job["done"] > 100


def test_each_file_of_a_folder_is_an_entry_of_the_progress(make, tmp_path):
    (tmp_path / "exported").mkdir()
    for number in range(7):
        (tmp_path / "exported" / f"{number}").write_bytes(b"x")
    archives = make(**{"archives.exports": f"reports={tmp_path}/exported"})
    headers = archives.issuer.headers(archives.me, "archives:write exports:read")
    folder = {"name": "all", "export": "reports", "path": "/"}
    job = archives.built([folder, *INLINE], headers=headers)
    assert (job["state"], job["steps"], job["steps_total"]) == ("done", 9, 9)


def test_the_same_content_is_built_once_and_kept_for_all_who_ask_again(make):
    archives = make()
    first = archives.built(INLINE)["url"]
    assert archives.order(INLINE) == first
    assert archives.order(list(reversed(INLINE))) != first
    assert archives.order(INLINE, name="another") != first
    fresh = archives.order(INLINE, headers={"Cache-Control": "no-cache"})
    assert fresh != first


def test_what_is_read_elsewhere_is_read_anew_once_a_job_has_begun(make):
    archives = make()
    first = archives.order(ELSEWHERE)
    assert archives.order(ELSEWHERE) == first, "nothing has been read yet"
    with archives.app.app_context():
        archives.queue.claim()
    assert archives.order(ELSEWHERE) != first


def test_so_old_a_reading_as_the_caller_allows_will_do(make):
    archives = make()
    first = archives.order(ELSEWHERE)
    with archives.app.app_context():
        archives.queue.claim()
    assert archives.order(ELSEWHERE, headers={"Cache-Control": "max-age=60"}) == first
    assert archives.order(ELSEWHERE, headers={"Cache-Control": "max-age=0"}) != first


def test_one_callers_finished_archives_take_no_more_room_than_allowed(make):
    archives = make(**{"archives.kept_per_owner": "100"})
    job = archives.built(INLINE)
    assert job["state"] == "done"
    assert_problem(archives.post([{"name": "more", "text": ""}]), 413, "quota-exceeded")
    archives.client.delete(job["url"], headers=archives.headers())
    archives.order([{"name": "more", "text": ""}])
