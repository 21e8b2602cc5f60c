"""The scenes run in the environments of their clients, not in ours: nothing here can be imported for doctests."""

collect_ignore = ["asyncio_scene.py", "threads_scene.py", "checks.py"]
