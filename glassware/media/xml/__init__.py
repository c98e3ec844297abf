"""XML 1.0, the only place that knows an XML library.

The wire format is dicttoxml's without types; the types come from the schema.
"""

from glassware.media.xml.read import loads
from glassware.media.xml.write import dumps, reference

__all__ = ["dumps", "loads", "reference"]
