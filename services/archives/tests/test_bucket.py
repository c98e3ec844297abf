"""Archives kept in S3: whole or not there, fetched in ranges, and nothing is left behind."""

from __future__ import annotations

import hashlib
import hmac
from functools import reduce
from random import Random
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import pytest

from glassware.cli.processes import free_ports
from glassware.problems import UnavailableProblem
from glassware.testing import assert_problem
from glassware_archives.domain.bucket import PART, Bucket, Place

pytestmark = pytest.mark.processes

NOISE = Random(7).randbytes(2 * PART + 12_345)
ABOUT = {"name": "a", "format": "tar"}
KEY = "0190a1b2-0000-7000-8000-00000000abcd.1"
INLINE = [{"name": "a", "text": "one"}, {"name": "b", "text": "two" * 5_000}]


@pytest.fixture(scope="module")
def server():
    from tests.servers import s3  # not at the top: a package's build has this folder alone

    with s3() as url:
        yield url


def bucket_at(url, prefix="", name="archives", redirect=False):
    place = Place(name, prefix, url, "us-east-1", "of-the-tests", "of-the-tests")
    return Bucket(place, 1024**3, redirect)


@pytest.fixture
def bucket(server, request):
    made = bucket_at(server, f"{request.node.name}/")
    yield made
    made.sweep(lambda _id, _fence: False)
    made.client.close()


def blocks(content, fails=None, size=65_536):
    for start in range(0, len(content), size):
        yield content[start : start + size]
    if fails:
        raise fails


def names(bucket):
    return {item["Key"] for item in bucket.listed("list_objects_v2", "Contents", none)}


def uploads(bucket):
    return list(bucket.listed("list_multipart_uploads", "Uploads", none))


def none(_id, _fence):
    return False


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, len(NOISE)])
def test_what_is_kept_is_read_back_from_anywhere(bucket, size):
    content = NOISE[:size]
    told = []
    bucket.keep(KEY, ABOUT, blocks(content), told.append)
    stored = bucket.find(KEY)
    assert (stored.filename, stored.size) == ("a.tar", size)
    assert told == sorted(told)
    file = bucket.open(stored)
    assert file.read() == content
    for start in {0, size // 2, max(0, size - 5), size}:
        file.seek(start)
        assert file.read(1000) == content[start : start + 1000]
    file.close()
    assert uploads(bucket) == []


@pytest.mark.parametrize("size", [0, 10, PART + 1])
def test_what_fails_while_it_is_built_leaves_nothing(bucket, size):
    with pytest.raises(RuntimeError, match="died"):
        bucket.keep(KEY, ABOUT, blocks(NOISE[:size], RuntimeError("died")), lambda _size: None)
    assert bucket.find(KEY) is None
    assert (names(bucket), uploads(bucket)) == (set(), [])


def test_the_sweep_removes_what_no_job_holds_and_aborts_the_uploads_of_the_dead(bucket):
    held = KEY.replace("abcd", "dcba")
    bucket.keep(KEY, ABOUT, blocks(b"x"), lambda _size: None)
    bucket.keep(held, ABOUT, blocks(b"y"), lambda _size: None)
    for key in (KEY, held):
        name = bucket.place.prefix + key.replace(".1", ".2")
        begun = bucket.ask("create_multipart_upload", Key=name)
        words = {"Key": name, "UploadId": begun["UploadId"]}
        bucket.ask("upload_part", **words, PartNumber=1, Body=b"half")
    bucket.ask("put_object", Key=f"{bucket.place.prefix}readme", Body=b"not ours")
    bucket.sweep(lambda id, _fence: str(id) in held)
    assert names(bucket) == {f"{bucket.place.prefix}{held}{end}" for end in ("", ".json")}
    assert [item["Key"] for item in uploads(bucket)] == [bucket.place.prefix + held[:-1] + "2"]
    assert bucket.ask("get_object", Key=f"{bucket.place.prefix}readme")["Body"].read()


def test_an_upload_that_was_swept_away_is_a_failure_and_not_half_an_archive(bucket):
    def swept():
        yield NOISE[:PART]
        bucket.sweep(none)
        yield NOISE[:PART]

    with pytest.raises((KeyError, UnavailableProblem)):
        bucket.keep(KEY, ABOUT, swept(), lambda _size: None)
    assert bucket.find(KEY) is None


@pytest.mark.parametrize("where", ["no-such-bucket", "nobody"])
def test_a_store_that_refuses_or_is_away_is_a_problem(server, where):
    url = f"http://127.0.0.1:{free_ports(['a'])['a']}" if where == "nobody" else server
    bucket = bucket_at(url, name="no-such-bucket")
    with pytest.raises(UnavailableProblem):
        bucket.keep(KEY, ABOUT, blocks(b"x"), lambda _size: None)
    with pytest.raises(UnavailableProblem):
        bucket.find(KEY)
    bucket.client.close()


@pytest.fixture
def archives(make, server, request):
    made = make(
        **{"archives.store": f"s3://archives/{request.node.name}", "archives.s3_endpoint": server}
    )
    yield made
    made.app.extensions["glassware"].parts.store.client.close()


def test_an_archive_in_the_bucket_is_served_as_one_on_disk_is(archives, make):
    job = archives.built(INLINE, format="tar")
    assert job["state"] == "done", job
    on_disk = make()
    same = on_disk.get(on_disk.built(INLINE, format="tar")["result"])
    for headers in (
        {},
        {"Range": "bytes=100-199"},
        {"Range": "bytes=-10"},
        {"Range": "bytes=0-9,20-29"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=x"},
        {"Range": "bytes=100-", "If-Range": '"another"'},
        {"Range": "bytes=99999999-"},
        {"If-None-Match": same.headers["ETag"]},
        {"If-Match": '"another"'},
    ):
        here, there = (
            archives.get(job["result"], **headers),
            on_disk.get(on_disk.built(INLINE, format="tar")["result"], **headers),
        )
        assert here.status_code == there.status_code, headers
        for name in ("Content-Range", "Content-Length", "ETag", "Repr-Digest"):
            assert here.headers.get(name) == there.headers.get(name) or here.is_error, name
        assert here.content == there.content or here.is_error
    assert len(same.content) == job["done"]


def test_what_is_deleted_or_expired_is_gone_from_the_bucket_after_a_sweep(archives):
    bucket = archives.app.extensions["glassware"].parts.store
    job = archives.built(INLINE)
    assert len(names(bucket)) == 2
    archives.client.delete(job["url"], headers=archives.headers())
    assert_problem(archives.get(job["result"]), 404)
    archives.sweep()
    assert names(bucket) == set()


def test_a_download_may_be_sent_on_to_the_server(make, server):
    archives = make(
        **{
            "archives.store": "s3://archives/sent-on",
            "archives.s3_endpoint": server,
            "archives.s3_redirect": "on",
        }
    )
    job = archives.built(INLINE)
    sent = archives.get(job["result"])
    assert (sent.status_code, sent.headers["Cache-Control"]) == (307, "no-store")
    assert sent.headers["Location"].startswith(f"{server}/archives/sent-on/")
    assert is_signed(sent.headers["Location"], "of-the-tests")
    assert not is_signed(sent.headers["Location"].replace("sent-on", "sent-off"), "of-the-tests")
    fetched = httpx2.get(sent.headers["Location"], trust_env=False)
    assert (fetched.status_code, len(fetched.content)) == (200, job["done"])
    assert fetched.headers["Content-Disposition"] == 'attachment; filename="archive.zip"'
    archives.app.extensions["glassware"].parts.store.client.close()


def is_signed(url: str, secret: str) -> bool:
    """Check a signed URL as the server does: by AWS's description, without its library."""
    parts = urlsplit(url)
    words = dict(parse_qsl(parts.query))
    signature, scope = words.pop("X-Amz-Signature"), words["X-Amz-Credential"].partition("/")[2]
    query = "&".join(f"{quote(key, '')}={quote(value, '')}" for key, value in sorted(words.items()))
    asked = f"GET\n{parts.path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    text = f"{words['X-Amz-Algorithm']}\n{words['X-Amz-Date']}\n{scope}\n{digest}"
    steps = (*scope.split("/"), text)
    made = reduce(
        lambda key, step: hmac.digest(key, step.encode(), "sha256"), steps, f"AWS4{secret}".encode()
    )
    return hmac.compare_digest(made.hex(), signature)


def test_the_check_of_a_signature_holds_for_the_example_of_aws():
    # Source: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters".
    url = (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    assert is_signed(url, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
