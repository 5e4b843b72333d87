"""How good pictures and files are: metrics, curves, targets, other codecs."""
