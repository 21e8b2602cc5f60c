"""Look back: everything here reads journal rows and returns tables or text."""
