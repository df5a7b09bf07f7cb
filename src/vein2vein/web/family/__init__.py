"""What the door of a family is made of: its texts as plain data, and what the model adds."""
