"""The methods in readable Python: tableaux, steps, events, summaries."""
