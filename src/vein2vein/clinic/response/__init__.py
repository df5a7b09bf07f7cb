"""Response and outcome by the published criteria."""
