"""Folders that the operator exported: their files, and nothing beyond, whatever is linked there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glassware.client import outside_client
from glassware.problems import InvalidProblem
from glassware_archives.domain import Limits
from glassware_archives.domain.exports import exports
from glassware_archives.domain.sources import Ways, archive, entries


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "2026" / "march").mkdir(parents=True)
    (root / "2026" / "a.txt").write_bytes(b"a")
    (root / "2026" / "march" / "b.txt").write_bytes(b"b" * 100_000)
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def ways(root: Path) -> Ways:
    return Ways(outside_client(), {}, exports=exports([f"reports={root}"]))


def wish(path: str, export: str = "reports") -> dict[str, str]:
    return {"name": "x", "export": export, "path": path}


def content(root: Path, path: str, export: str = "reports") -> bytes:
    (entry,) = entries([wish(path, export)], ways(root))
    return b"".join(entry.content)


def test_a_file_below_is_an_entry_with_its_size(root: Path) -> None:
    assert content(root, "/2026/a.txt") == b"a"
    (entry,) = entries([wish("/2026/march/b.txt")], ways(root))
    assert (entry.size, b"".join(entry.content)) == (100_000, b"b" * 100_000)


def test_a_folder_is_all_that_is_below(root: Path, unpack) -> None:
    data = b"".join(archive("tar", [wish("/2026/")], ways(root), Limits()))
    assert unpack("tar", data) == {"x/a.txt": b"a", "x/march/b.txt": b"b" * 100_000}
    data = b"".join(archive("tar", [wish("/")], ways(root), Limits()))
    assert set(unpack("tar", data)) == {"x/2026/a.txt", "x/2026/march/b.txt"}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/../secret",
            "/2026/../../secret",
            "/./2026/a.txt",
            "/2026//a.txt",
            "/2026",
            "",
            "/none",
        ),
        *("/2026/a.txt/x", "/\0", "/" + "a" * 5000, "/link", "/2026/inner", "/folder/secret"),
        "/pipe",
    ],
)
def test_nothing_else_is_reached(root: Path, path: str) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    (root / "2026" / "inner").symlink_to("a.txt")
    (root / "folder").symlink_to(root.parent)
    os.mkfifo(root / "pipe")
    with pytest.raises(InvalidProblem) as caught:
        content(root, path)
    assert "secret" not in str(caught.value)


def test_a_link_in_a_folder_is_not_left_out_in_silence(root: Path) -> None:
    for name, target in {"2026/away": root.parent, "2026/one": root.parent / "secret"}.items():
        (root / name).symlink_to(target)
        with pytest.raises(InvalidProblem):
            b"".join(archive("tar", [wish("/2026/")], ways(root), Limits()))
        (root / name).unlink()


def test_a_link_that_is_put_in_the_place_of_a_folder_leads_nowhere(root: Path) -> None:
    opened = archive("tar", [wish("/2026/")], ways(root), Limits())
    (root / "2026").rename(root / "was")
    (root / "2026").symlink_to(root.parent)
    with pytest.raises(InvalidProblem):
        b"".join(opened)


def test_what_is_not_exported_is_not_there(root: Path) -> None:
    with pytest.raises(InvalidProblem):
        b"".join(archive("tar", [wish("/a", "others")], ways(root), Limits()))


@pytest.mark.parametrize("told", ["x", "=/x", "x=", "x=relative"])
def test_an_export_that_names_no_folder_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="name=/absolute/path"):
        exports([told])


def test_no_descriptor_is_left(root: Path) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    for _ in range(5):
        content(root, "/2026/a.txt")
        content(root, "/2026/march/b.txt")
        with pytest.raises(InvalidProblem):
            content(root, "/none")
    assert held() == before
