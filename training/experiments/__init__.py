"""Comparisons that need training's environment."""
