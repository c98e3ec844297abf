"""Looking for every symptom there is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

from glassware.cli.doctor import database, exposure, machine, neighbours, start
from glassware.cli.doctor.case import Case
from glassware.observe.scrub import Scrubber

PREFIX = "symptom_"
AREAS = (start, database, machine, neighbours, exposure)

Symptom = Callable[[Case], Iterator[str]]


class Finding(NamedTuple):
    """A symptom that was found, or could not be looked for: what is wrong, what it was seen by,
    and why that matters and what to do."""

    name: str
    what: str
    seen: list[str]
    advice: str


def examine(case: Case) -> tuple[list[Finding], int]:
    """Return what was found, and how many symptoms were looked for."""
    known = list(symptoms(case.service.package))
    if case.refusal:
        known = [start.symptom_the_configuration_is_refused]
    scrubber = Scrubber()
    if not case.refusal:
        scrubber.register(*case.config.secrets())
    findings = [found for symptom in known if (found := look_for(symptom, case, scrubber))]
    return findings, len(known)


def symptoms(package: str) -> Iterator[Symptom]:
    """Yield every symptom, the service's own last."""
    areas: Sequence[ModuleType] = AREAS
    if find_spec(f"{package}.symptoms"):
        areas = (*areas, import_module(f"{package}.symptoms"))
    for area in areas:
        for name, value in vars(area).items():
            if name.startswith(PREFIX):
                yield value


def look_for(symptom: Symptom, case: Case, scrubber: Scrubber) -> Finding | None:
    """Return the finding, None where all is well."""
    what, _, advice = (inspect.getdoc(symptom) or "").partition("\n\n")
    name = getattr(symptom, "__name__", "").removeprefix(PREFIX)
    try:
        seen = list(symptom(case))
    except Exception as error:  # a symptom that cannot be looked for must not hide the others
        what, seen = f"It cannot be told whether {name.replace('_', ' ')}.", [repr(error)]
    if not seen:
        return None
    shown = [scrubber.text(" ".join(each.split())) for each in seen]
    return Finding(name, " ".join(what.split()), shown, " ".join(advice.split()))
