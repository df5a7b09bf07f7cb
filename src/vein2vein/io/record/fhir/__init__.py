"""Records as FHIR R4 bundles."""
