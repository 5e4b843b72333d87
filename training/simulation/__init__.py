"""The codec in floating point, as training needs it."""
