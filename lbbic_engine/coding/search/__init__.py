"""How an encoder looks for better symbols; the decoder knows nothing of it."""
