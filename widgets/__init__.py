"""Draw: views get plain arrays and draw them; they never decide."""
