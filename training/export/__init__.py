"""From a trained network to exact integers in a weights file."""
