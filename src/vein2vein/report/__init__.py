"""Reports: self-contained HTML files with figures, tables, assumptions and provenance."""
