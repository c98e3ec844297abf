"""The environment of the migrations is the chassis's."""

from glassware.db.migrate import run

run()
