"""The networks of Kamisli 2024 as published: in floating point, and exact in integers."""
