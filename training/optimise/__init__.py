"""The training of the production model."""
