"""What the app is doing: the picture on view, the batch, the tools beside them."""
