"""What keeps strangers at bay before a resource is reached: hosts, sizes, headers."""

from glassware.limits.cors import share
from glassware.limits.headers import secure
from glassware.limits.proxy import BehindProxies
from glassware.limits.rate import advertise, limiter
from glassware.limits.request import restrict

__all__ = ["BehindProxies", "advertise", "limiter", "restrict", "secure", "share"]
