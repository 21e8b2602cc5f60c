"""The scenes that clients of the gateway play, each in an environment of its own."""
