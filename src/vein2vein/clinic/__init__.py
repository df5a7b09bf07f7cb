"""What is right for a patient, measured or virtual: grades of toxicity, response, care, and their criteria."""
