"""What is done for a patient: management, schedule, eligibility."""
