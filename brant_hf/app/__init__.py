"""The local page of `brant-hf app`: a queue of recordings, what was found in them, and a threshold to move."""

# What the command and `serve` take where nothing else is said.
HOST, PORT, MAX_SIZE = "127.0.0.1", 7860, "2gb"
