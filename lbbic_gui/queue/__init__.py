"""The list of pictures, and commands for all of them."""
