"""A person's record: tables and FHIR, read and written."""
