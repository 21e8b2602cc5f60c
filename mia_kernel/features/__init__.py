"""Measure: one file per component, one registry."""
