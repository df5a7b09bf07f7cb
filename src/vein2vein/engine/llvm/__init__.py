"""The same methods as compiled code for vectors of patients."""
