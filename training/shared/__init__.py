"""What all training uses: pictures, losses, recipes, logs."""
