"""How the weights are made: data, losses, training, export. The engine never imports it."""
