"""What is done with fits once they are made: compared, extended by covariates, resampled, simulated from."""
