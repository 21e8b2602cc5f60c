"""Run live: feed, queue, engine, venue, record; and the processes around them."""
