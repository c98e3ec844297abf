"""What all transports around another transport share."""

from __future__ import annotations

import httpx2


class Layer(httpx2.BaseTransport):
    """A transport that adds one behaviour to the ``inner`` one."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner

    def close(self) -> None:
        """Close the innermost transport and its connections."""
        self.inner.close()
