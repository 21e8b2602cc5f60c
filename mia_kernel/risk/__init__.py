"""Permit: limits, sizing and the gate."""
