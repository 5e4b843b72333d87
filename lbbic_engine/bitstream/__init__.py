"""From symbols to a file's bytes and back."""
