"""The list of pictures, and what is done with all of them."""
