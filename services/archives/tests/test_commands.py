"""Archives made on the command line, by the command of the suite."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "glassware.cli.suite", "archive", "build"]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, timeout=60)


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, object]:
    """Return what a manifest asks for; the files that it names are there."""
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o750)
    os.utime(script, (1_700_000_000, 1_700_000_000))
    entries = [
        {"name": "bin/run", "file": "run.sh"},
        {"name": "note.txt", "text": "Hello!"},
        {"name": "go", "kind": "symlink", "target": "bin/run"},
    ]
    return {"entries": entries}


def told(folder: Path, manifest: dict[str, object]) -> str:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return "manifest.json"


def test_archive_of_files_is_made_in_the_format_of_its_name(tmp_path, manifest) -> None:
    done = run(tmp_path, told(tmp_path, manifest), "-o", "out.tar.gz")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        member = archive.getmember("bin/run")
        assert (member.mode, member.mtime) == (0o750, 1_700_000_000)
        assert archive.extractfile("bin/run").read() == b"#!/bin/sh\n"
        assert archive.getmember("go").linkname == "bin/run"


def test_same_manifest_gives_the_same_bytes_on_the_standard_output(tmp_path, manifest) -> None:
    path = told(tmp_path, {**manifest, "manifest": True, "name": "n"})
    first, second = run(tmp_path, path), run(tmp_path, path, "--output", "-")
    assert first.stdout == second.stdout
    with zipfile.ZipFile(io.BytesIO(first.stdout)) as archive:
        listed = json.loads(archive.read("_manifest.json"))["entries"]
    assert listed[1]["sha256"] == hashlib.sha256(b"Hello!").hexdigest()


def test_what_fails_leaves_no_file_and_says_why(tmp_path, manifest) -> None:
    manifest["entries"].append({"name": "x", "base64": "eA==", "size": 2})
    done = run(tmp_path, told(tmp_path, manifest), "-o", "out.zip")
    assert done.returncode == 1
    assert b"1 of 2 bytes" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "run.sh"]


def test_file_that_is_missing_is_said_before_anything_is_written(tmp_path, manifest) -> None:
    manifest["entries"].append({"name": "x", "file": "no-such-file"})
    done = run(tmp_path, told(tmp_path, manifest), "-o", "out.zip")
    assert done.returncode == 1
    assert b"no-such-file: No such file" in done.stderr


def test_passphrase_comes_from_a_file(tmp_path, manifest) -> None:
    (tmp_path / "secret").write_text("canary\n")
    done = run(tmp_path, told(tmp_path, manifest), "-o", "a.zip", "-p", "secret")
    assert done.returncode == 0
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert all(info.flag_bits & 1 for info in archive.infolist() if info.filename != "go")


@pytest.mark.parametrize("output", ["out.zip", "out.7z"])
def test_terminal_sees_how_far_it_is_also_in_the_middle_of_a_file(tmp_path, output) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(300 * 1024**2)
    entries = [{"name": "large", "file": "large"}, {"name": "note", "text": "Hello!"}]
    shown, inner = os.openpty()
    command = [*COMMAND, told(tmp_path, {"entries": entries}), "-o", output]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=inner)
    os.close(inner)
    told_there = b""
    with suppress(OSError):  # which is how a terminal ends
        while chunk := os.read(shown, 4096):
            told_there += chunk
    os.close(shown)
    assert process.wait(60) == 0
    lines = told_there.decode().split("\r")
    assert any(0 < line.count("#") < 30 and "0/2" in line and "s left" in line for line in lines)
    assert any(line.count("#") == 30 and "2/2" in line for line in lines)


@pytest.mark.parametrize(
    "document", ["[]", "{", '{"entries": []}', '{"entries": [{"name": "a", "service": "tasks"}]}']
)
def test_manifest_that_is_none_is_a_line_not_a_trace(tmp_path: Path, document: str) -> None:
    (tmp_path / "manifest.json").write_text(document)
    done = run(tmp_path, "manifest.json")
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert b"Traceback" not in done.stderr
