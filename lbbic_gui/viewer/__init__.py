"""The picture on view."""
