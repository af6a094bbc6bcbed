"""The local page of `brant-hf app`: a queue of recordings, what was found in them, and a threshold to move."""
