"""Symbols of blocks: made from a picture, searched, or taken from a stream."""
