"""The app's activities: the picture on view, the batch, and the tools for them."""
