"""Long computations beside the server: a table on disk, a pool of processes, and what may be computed."""
