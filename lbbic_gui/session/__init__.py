"""What the app is doing: the picture on view, the batch, what was asked beside them."""
