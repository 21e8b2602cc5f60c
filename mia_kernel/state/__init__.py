"""Remember: every kernel that sees market events, and the one record they write."""
