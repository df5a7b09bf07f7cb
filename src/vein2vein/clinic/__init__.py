"""Room of vein2vein."""
