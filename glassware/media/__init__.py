"""Media: between bytes and plain values, in JSON, in XML, and in problems of either.

What one format accepts, the other can carry: :mod:`~glassware.media.text` has the bounds that both
readers keep. Nothing here knows of a request.
"""
