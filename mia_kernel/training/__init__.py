"""Train the filter: years of events into labelled signals, those into a model, and the model into a verdict."""
