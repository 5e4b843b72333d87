"""What is painted on the canvas, and where."""
