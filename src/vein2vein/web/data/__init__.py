"""What the door of a study's data computes and shows."""
