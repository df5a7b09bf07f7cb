"""A real patient on the ward: states, today, what is due."""
