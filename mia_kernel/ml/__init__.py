"""Filter: the ensemble that may refuse a signal."""
