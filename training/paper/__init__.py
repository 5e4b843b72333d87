"""Training and export of the paper's own models."""
