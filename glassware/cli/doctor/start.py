"""Whether the service could start at all."""

from __future__ import annotations

from collections.abc import Iterator

from glassware.cli.doctor.case import Case


def symptom_the_configuration_is_refused(case: Case) -> Iterator[str]:
    """The configuration cannot be used.

    The service does not start, and nothing else could be examined. Correct what is named, in the
    layer that is named; `manage.py config sample` lists every option.
    """
    yield from case.refusal


def symptom_the_app_cannot_be_made(case: Case) -> Iterator[str]:
    """The configuration can be read, but the service cannot be made with it.

    It ends as soon as it is started. Mend what the error says.
    """
    try:
        case.service.create_app(case.overrides, environ=case.environ)
    except Exception as error:  # whatever it is, it would end the service
        yield f"{type(error).__name__}: {error}"
