"""The networks: floating-point ones to train, exact integer ones to code with."""
