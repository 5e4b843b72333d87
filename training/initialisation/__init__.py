"""How a network is initialised."""
