"""What is generated from the resources: the OpenAPI document, its page, and a page of each."""

from glassware.openapi.neighbours import Neighbours, neighbours
from glassware.openapi.pages import Pages
from glassware.openapi.resources import DOCUMENTATION

__all__ = ["DOCUMENTATION", "Neighbours", "Pages", "neighbours"]
