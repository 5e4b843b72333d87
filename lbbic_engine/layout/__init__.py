"""A picture as blocks: their order, their neighbours, the tiles."""
