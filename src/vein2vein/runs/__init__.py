"""Large runs: chunks, schedulers and stores."""
