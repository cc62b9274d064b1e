"""The version of this code."""

from importlib.metadata import version

VERSION = version("regrow")
