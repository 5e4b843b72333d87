"""What all training uses: pictures, losses, recipes, the folder and the steps of a run."""
