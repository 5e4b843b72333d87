"""Pictures and picture files: reading, writing, finding them."""
