"""The command line: ``manage.py`` of a service, with the verbs that Flask-Script users know."""

from glassware.cli.commands import Commands
from glassware.cli.manager import Manager

__all__ = ["Commands", "Manager"]
