"""Paints the canvas."""
