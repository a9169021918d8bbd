"""From what a search has seen to the text that a model is shown."""
