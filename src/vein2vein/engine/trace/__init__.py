"""Recording a model: its expressions, their derivatives, their print."""
