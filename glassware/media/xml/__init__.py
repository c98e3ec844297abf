"""XML 1.0, the only place that knows an XML library.

The wire format is dicttoxml's without types; the types come from the schema.
"""

from glassware.media.xml.read import loads
from glassware.media.xml.write import DECLARATION, dumps, escape, reference, tags

__all__ = ["DECLARATION", "dumps", "escape", "loads", "reference", "tags"]
