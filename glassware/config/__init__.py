"""Configuration: options declared once, read from layers that know where each value is from."""

from glassware.config.config import Config, Row
from glassware.config.errors import ConfigError
from glassware.config.option import Option
from glassware.config.options import CHASSIS
from glassware.config.sample import sample
from glassware.config.sources import variable

__all__ = ["CHASSIS", "Config", "ConfigError", "Option", "Row", "sample", "variable"]
