"""What a service's tests stand on: the real neighbours in one process, assertions, races.

No test needs a mock of a sibling: ``Mesh`` runs the sibling's own app.
"""

from glassware.testing.asserts import assert_problem
from glassware.testing.issuer import Issuer
from glassware.testing.mesh import Mesh
from glassware.testing.races import at_once

__all__ = ["Issuer", "Mesh", "assert_problem", "at_once"]
