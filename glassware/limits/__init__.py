"""What keeps strangers at bay before a resource is reached: hosts, sizes, headers."""

from glassware.limits.headers import secure
from glassware.limits.request import restrict

__all__ = ["restrict", "secure"]
