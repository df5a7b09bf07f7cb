"""Learning from data and judging the model by it: parameter samples, scores, qualification."""
