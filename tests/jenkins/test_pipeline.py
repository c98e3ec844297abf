"""The Jenkinsfile does what it says, and a typing error in it is found."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.jenkins

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Jenkinsfile"


def pipeline(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools/pipeline", *words], env={**os.environ, **environ}, cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def dry(*given: str, file: Path = FILE) -> tuple[int, list[str]]:
    """Run the file, with a make that only looks whether it could. Returns the steps it took."""
    done = pipeline("run", file, *given, MAKEFLAGS="--dry-run --no-print-directory")
    assert "== " in done.stdout, done.stderr
    return done.returncode, re.findall(r"(?m)^\+ make (.*)", done.stdout)


def test_every_step_is_one_target_and_every_parameter_reaches_it() -> None:
    listed = pipeline("list", FILE)
    assert listed.returncode == 0, listed.stderr
    targets = set(re.findall(r"(?m)^([a-z-]+):.*##", "".join(map(Path.read_text, makefiles()))))
    steps = re.findall(r"(?m)^sh (.*)", listed.stdout)
    assert {"make lint", "make deb-changed", "make publish", "make deploy"} < set(steps)
    assert all(re.fullmatch(r"make [a-z-]+", step) for step in steps), steps
    assert {step.removeprefix("make ") for step in steps} <= targets
    alone, together = re.findall(r"(?ms)^[a-z]+=\((.*?)\)", (ROOT / ".ci/run").read_text())
    assert {f"make {target}" for target in f"{alone} {together}".split()} <= set(steps)
    used = set(re.findall(r"\$\(([A-Z]+)\)", (ROOT / "jenkins.mk").read_text()))
    assert set(re.findall(r"(?m)^parameter (.*)", listed.stdout)) == used - {"MAKE"} | {"PUBLISH"}


def makefiles() -> list[Path]:
    return [ROOT / "Makefile", *ROOT.glob("*.mk")]


def test_a_branch_builds_what_changed_and_publishes_nothing() -> None:
    code, steps = dry("BRANCH=topic", "PUBLISH=true", "HOSTS=one")
    assert code == 0
    assert "deb-changed" in steps
    assert not {"deb", "sign", "publish", "deploy"} & set(steps)


def test_main_publishes_and_deploys_when_it_is_told_to() -> None:
    code, steps = dry("BRANCH=main")
    assert code == 0
    assert steps[-1] == "test-puppet-apply"
    assert dry("PUBLISH=true", "KEY=k") == (0, [*steps, "sign", "publish"])
    assert dry("PUBLISH=true", "KEY=k", "HOSTS=one two") == (
        0,
        [*steps, "sign", "publish", "deploy"],
    )


def test_no_step_follows_one_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "Jenkinsfile"
    file.write_text(FILE.read_text().replace("make test-processes", "make no-such-target"))
    code, steps = dry(file=file)
    assert code == 1
    assert steps == ["lint", "test", "no-such-target"]


def test_an_unknown_parameter_is_refused() -> None:
    done = pipeline("run", FILE, "PUBLSH=true")
    assert done.returncode == 1
    assert "there is no parameter PUBLSH" in done.stdout + done.stderr


def test_any_typing_error_is_found(tmp_path: Path) -> None:
    """Every word of it with one letter less, every mark away, in turn."""
    text = FILE.read_text()
    code = re.sub(r"//.*|'[^'\n]*'", lambda found: re.sub("[^']", " ", found[0]), text)
    mistakes = {}
    for number, found in enumerate(re.finditer(r"[A-Za-z]{2,}|[{}()',:]", code)):
        path = tmp_path / str(number)
        middle = (found.start() + found.end()) // 2
        path.write_text(text[:middle] + text[middle + 1 :])
        mistakes[str(path)] = f"{found[0]} at {middle}"
    told = dict(
        line.partition(": ")[::2] for line in pipeline("check", *mistakes).stdout.splitlines()
    )
    assert len(mistakes) > 150
    assert told.keys() == mistakes.keys()
    missed = [mistakes[path] for path, verdict in told.items() if verdict == "ok"]
    assert not missed
