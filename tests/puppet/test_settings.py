"""What the Puppet module has from the code is as the code says, and means the same."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from glassware.config import Option
from glassware.config.networks import Networks
from glassware.config.sources import ini

pytestmark = pytest.mark.puppet

ROOT = Path(__file__).parents[2]
_spec = spec_from_file_location("puppet", ROOT / "tools/puppet.py")
puppet = module_from_spec(_spec)
_spec.loader.exec_module(puppet)

#: Some of them are right for some options; none is right for all.
VALUES = [
    *(0, 1, -1, 7, 65535, 65536, 0.5, 1.5, 1e-3, 1e20, True, False, "", "x", " x", "x ", "a\nb"),
    *("a\r", "a,b", "# x", "[x]", "a = b", "100%", "%(x)s", "Grüße", "/a/b", "a/b", "true", "7"),
    *("ES256", "open", "on", "INFO", "http://127.0.0.1:7001", "memory://"),
    *([], ["x"], ["x", "y z"], ["a,b"], [" x"], [""], ["ES256"], ["ES256", "RS256"], [7]),
    *(["10.0.0.0/8", "fd00::/8"], ["127.0.0.1"], ["x", "10.0.0.0/8"], {}, {"a": 1}),
]
COMPARE = """
$verdicts = lookup('cases').map |$case| {
  [$service, $settings] = $case
  $fits = $service ? {
%(types)s
  }
  if $fits {
    epp('glassware/service.ini.epp', { 'service' => $service, 'settings' => $settings })
  } else {
    'refused'
  }
}
file { '%(told)s':
  content => $verdicts.join("\n--------\n"),
}
"""


class Case(NamedTuple):
    service: str
    option: Option
    value: Any


def test_what_is_made_from_the_code_is_current() -> None:
    for path, text in puppet.files().items():
        assert (ROOT / path).read_text() == text, f"{path} is not current: make puppet-types"


def test_the_data_name_what_there_is() -> None:
    data = yaml.safe_load((ROOT / "puppet/data/common.yaml").read_text())
    there = puppet.services()
    assert data["profile::services::services"] == [service.name for service in there]
    kept = [service.name for service in there if service.database]
    assert data["profile::database::services"] == kept
    changelog = (ROOT / "debian/changelog").read_text()
    assert data["glassware::version"] in re.findall(r"(?m)^glassware \(([^)]+)\)", changelog)


def cases() -> Iterator[Case]:
    """Yield every declared option that is to be set, with right and with wrong values."""
    seen = set()
    for service in puppet.services():
        for option in service.declared():
            if not option.secret and option.name not in puppet.NOT_SET and option not in seen:
                seen.add(option)
                for value in [plain(option.default), *VALUES]:
                    yield Case(service.name, option, value)


def plain(value: Any) -> Any:
    """Return the value as data has it."""
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def told_by_puppet(given: list[Case], folder: Path) -> list[str]:
    """Return what Puppet makes of each: the text of the file, or "refused"."""
    level = {"name": "all", "path": "all.json", "datadir": str(folder), "data_hash": "json_data"}
    hiera = {"version": 5, "hierarchy": [level]}
    rows = []
    for service, option, value in given:
        section, _, key = option.name.partition(".")
        rows.append([service, {section: {key: value}}])
    (folder / "all.json").write_text(json.dumps({"cases": rows}))
    (folder / "hiera.yaml").write_text(json.dumps(hiera))
    names = [service.name for service in puppet.services()]
    types = [f"    '{it}' => $settings =~ Glassware::{it.capitalize()}::Settings," for it in names]
    told = folder / "told"
    (folder / "it.pp").write_text(COMPARE % {"types": "\n".join(types), "told": told})
    modules, places = ROOT / puppet.MODULES, [f"--confdir={folder}", f"--vardir={folder}/var"]
    subprocess.run(
        ["puppet", "apply", *places, f"--hiera_config={folder / 'hiera.yaml'}",
         f"--modulepath={modules}", str(folder / "it.pp")],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return told.read_text().split("\n--------\n")


def admitted(option: Option, value: Any) -> bool:
    """Return whether the service takes the value, which has the very type of the option."""
    kinds: dict[Any, Any] = {float: (int, float), Path: str, list: list, Networks: list}
    kind = kinds.get(option.type, option.type)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return False
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return False
    if option.type is Path and not value.startswith("/"):
        return False
    try:
        parsed = option.parse(value)
    except ValueError:
        return False
    if option.type is Networks:
        return len(parsed) == len(value)
    return plain(parsed) == value and unbroken(value)


def unbroken(value: Any) -> bool:
    """Return whether a line of a file gives it back."""
    return not isinstance(value, str) or (value == value.strip() and "\n" not in value)


def test_puppet_takes_what_the_service_takes_and_writes_what_the_service_reads(
    tmp_path: Path,
) -> None:
    given = list(cases())
    told = told_by_puppet(given, tmp_path)
    assert len(told) == len(given)
    for case, text in zip(given, told, strict=True):
        takes = text != "refused"
        assert takes == admitted(case.option, case.value), f"{case}: puppet says {text}"
        if takes:
            (setting,) = ini(text, "puppet")
            assert setting.name == case.option.name
            assert case.option.parse(setting.raw) == case.option.parse(case.value), case
    assert {"refused"} < set(told)
