"""Foreign archives: listed, one entry taken out, compared; and what is hostile refused."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

import pytest

from glassware.problems import InvalidProblem, NotFoundProblem, TooLargeProblem
from glassware_archives.domain import FORMATS, Entry, Limits, build
from glassware_archives.domain.inside import Caution, extracted, faults, listed

NOISE = random.Random(7).randbytes(300_000)
MIB = 1024 * 1024

Put = Callable[[bytes], IO[bytes]]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Lay bytes down as a file, as an upload is."""

    def write(data: bytes) -> IO[bytes]:
        path = tmp_path / "archive"
        path.write_bytes(data)
        return path.open("rb+")

    return write


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


#: What names files of the machine, or is read by too much code, is not looked into.
NOT_READ = ("mtree", "xar")


@pytest.mark.parametrize("format", NOT_READ)
def test_a_format_that_is_not_read_is_refused(format: str, put: Put) -> None:
    made = b"".join(build(format, [Entry("noise", [NOISE], len(NOISE))], Limits()))
    with put(made) as archive, pytest.raises(InvalidProblem):
        listed(archive, Caution())


@pytest.mark.parametrize("format", [name for name in FORMATS if name not in NOT_READ])
def test_what_we_build_is_listed_taken_out_and_as_its_manifest_says(format: str, put: Put) -> None:
    files = {"b.txt" if FORMATS[format].flat else "a/b.txt": b"text", "noise": NOISE}
    entries = [Entry(name, [content], len(content)) for name, content in files.items()]
    with put(b"".join(build(format, entries, Limits()))) as archive:
        # Some have folders that nobody asked for.
        found = [each for each in listed(archive, Caution()) if each["kind"] == "file"]
        assert files.keys() == {each["name"] for each in found}
        assert all(each["safe"] and not each["encrypted"] for each in found)
        assert b"".join(extracted(archive, "noise", Caution())) == NOISE
        digests = listed(archive, Caution(), "digest")
    manifest = [
        {
            "name": name,
            "size": len(content),
            "crc32": f"{zlib.crc32(content):08x}",
            "sha256": sha256(content).hexdigest(),
        }
        for name, content in files.items()
    ]
    assert faults(digests, manifest) == []
    manifest[0]["sha256"] = "0" * 64
    manifest[1]["size"] = 1
    (more,) = faults(digests, [*manifest, {"name": "more"}])[:1]
    assert more == "more: is missing"
    assert len(faults(digests, manifest[:1])) == 2


def bomb() -> bytes:
    return zipped(zeros=bytes(64 * MIB))


def nest() -> bytes:
    """Archives in archives, as 42.zip is, a layer of which is opened at a time."""
    inner = bomb()
    for _ in range(3):
        inner = zipped(**{f"{number}.zip": inner for number in range(8)})
    return inner


def overlapping() -> bytes:
    """A kernel that a thousand entries of the directory point at."""
    kernel = zipped(zeros=bytes(MIB))
    start = kernel.index(b"PK\x01\x02")
    end = kernel.index(b"PK\x05\x06")
    header = kernel[start:end]
    headers = b"".join(header.replace(b"zeros", f"{n:05}".encode()) for n in range(1000))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(headers), start, 0)
    return kernel[:start] + headers + tail


def many() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(65_600):
            archive.writestr(f"{number}", b"")
    return made.getvalue()


def twice() -> bytes:
    import gzip

    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
    return gzip.compress(gzip.compress(made.getvalue()))


def tarred_bomb() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        about = tarfile.TarInfo("zeros")
        about.size = 64 * MIB
        archive.addfile(about, io.BytesIO(bytes(64 * MIB)))
    return made.getvalue()


@pytest.mark.parametrize("verb", ["list", "digest"])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (bomb, TooLargeProblem),
        (many, TooLargeProblem),
        (tarred_bomb, TooLargeProblem),
        (twice, InvalidProblem),
    ],
)
def test_a_bomb_is_refused(put: Put, make: Callable[[], bytes], kind: type, verb: str) -> None:
    with put(make()) as archive, pytest.raises(kind):
        listed(archive, Caution(), verb)


def test_entries_that_share_their_bytes_do_not_multiply(put: Put) -> None:
    with put(overlapping()) as archive:
        assert sum(each["size"] for each in listed(archive, Caution(), "digest")) <= MIB


def test_a_bomb_in_an_archive_is_not_opened_with_it(put: Put) -> None:
    with put(nest()) as archive:
        assert {each["name"] for each in listed(archive, Caution(), "digest")} == {
            f"{number}.zip" for number in range(8)
        }


@pytest.mark.parametrize("cut", [0, 1, 10, 100, 1000, 200_000])
@pytest.mark.parametrize("format", ["zip", "tar.gz"])
def test_what_is_cut_off_is_refused(put: Put, format: str, cut: int) -> None:
    whole = b"".join(build(format, [Entry("noise", [NOISE], len(NOISE))], Limits()))
    with put(whole[:cut]) as archive, pytest.raises(InvalidProblem):
        listed(archive, Caution(), "digest")


@pytest.mark.parametrize(
    "data",
    [b"", b"text", NOISE, b"\0" * 10_000, b"#mtree\n./x type=file\n"],
    ids=["empty", "text", "noise", "zeros", "mtree"],
)
def test_what_is_no_archive_is_refused(put: Put, data: bytes) -> None:
    with put(data) as archive:
        with suppress(InvalidProblem):
            assert listed(archive, Caution()) == []


def test_what_could_leave_its_folder_is_listed_and_marked(put: Put) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind, link in (
            ("../up", tarfile.REGTYPE, ""),
            ("/absolute", tarfile.REGTYPE, ""),
            ("soft", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard", tarfile.LNKTYPE, "../up"),
            ("pipe", tarfile.FIFOTYPE, ""),
            ("fine", tarfile.REGTYPE, ""),
            ("folder/", tarfile.DIRTYPE, ""),
        ):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, link
            archive.addfile(about)
    with put(made.getvalue()) as archive:
        found = {each["name"]: each for each in listed(archive, Caution())}
        with pytest.raises(InvalidProblem):
            list(extracted(archive, "soft", Caution()))
        with pytest.raises(NotFoundProblem):
            list(extracted(archive, "nothing", Caution()))
    assert {name: (each["kind"], each["link"], each["safe"]) for name, each in found.items()} == {
        "../up": ("file", None, False),
        "/absolute": ("file", None, False),
        "soft": ("symlink", "/etc/passwd", False),
        "hard": ("hardlink", "../up", False),
        "pipe": ("special", None, False),
        "fine": ("file", None, True),
        "folder/": ("folder", None, True),
    }


def test_what_is_encrypted_is_listed_and_not_read(put: Put) -> None:
    data = bytearray(zipped(secret=b"sealed"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    with put(bytes(data)) as archive:
        (entry,) = listed(archive, Caution(), "digest")
        assert entry["encrypted"]
        assert "sha256" not in entry
        with pytest.raises(InvalidProblem):
            list(extracted(archive, "secret", Caution()))


def test_whoever_leaves_ends_the_reader(put: Put) -> None:
    def readers() -> str:
        command = ["pgrep", "-f", "glassware_archives.domain.reader.*left-alone"]
        return subprocess.run(command, capture_output=True, text=True).stdout

    with put(zipped(**{"left-alone": NOISE * 20})) as archive:
        content = extracted(archive, "left-alone", Caution())
        assert next(content)
        assert readers()
        content.close()
        assert not readers()
