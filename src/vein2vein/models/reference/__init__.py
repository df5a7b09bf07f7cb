"""The reference model: equations, doses, observables, extinction."""
