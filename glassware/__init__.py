"""Glassware: the chassis of a suite of small Flask services.

Import from its floors: ``glassware.service``, ``glassware.api``, ``glassware.auth``,
``glassware.db``, ``glassware.problems``, ``glassware.testing``.
"""
