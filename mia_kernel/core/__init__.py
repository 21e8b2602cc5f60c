"""Name: the words every other room speaks."""
