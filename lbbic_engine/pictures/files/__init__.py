"""How picture files are made: opening them, and what Pillow does not tell of them."""
