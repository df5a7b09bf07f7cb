"""What a virtual patient shows: bedside signs, assays, hazards, covariates."""
