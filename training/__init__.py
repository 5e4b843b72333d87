"""How the weights are made: data, losses, the training loop, export. The program never imports it."""
