"""The refinement of decoded pictures: its data, its training, its integers."""
