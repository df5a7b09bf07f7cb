"""The journey from vein to vein: the chart, its loop of days, and how it ends."""
