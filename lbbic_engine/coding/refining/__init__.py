"""What follows the decoding of a tile: the refinement, and a filter fitted to the picture."""
