"""``manage.py doctor``: look for everything that is known to go wrong, and say what to do.

A symptom is a function ``symptom_<what_is_wrong>``. It yields what it found, which is nothing where
all is well; its docstring is the message: what is wrong, then why that matters and what to do. A
service adds its own in a module ``symptoms`` of its package.
"""

from glassware.cli.doctor.case import Case
from glassware.cli.doctor.verb import doctor

__all__ = ["Case", "doctor"]
