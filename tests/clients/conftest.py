"""Scenes and oracles run in environments of their own, not in ours: nothing here can be imported for doctests."""

collect_ignore = ["asyncio_scene.py", "threads_scene.py", "checks.py", "oracle_edge.py", "oracle_labels.py"]
