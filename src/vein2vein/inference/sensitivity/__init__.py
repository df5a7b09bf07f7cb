"""Which numbers of the model move its results: elementary effects (Morris) over the numbers of the cards."""
