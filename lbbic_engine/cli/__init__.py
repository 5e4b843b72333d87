"""The command line: ``lbbic`` and what each of its commands does."""

from lbbic_engine.cli.program import main

__all__ = ["main"]
