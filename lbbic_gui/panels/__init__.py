"""The panels next to the picture."""
