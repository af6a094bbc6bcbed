"""The page of `brant-hf app` as a Space of Hugging Face: for anyone, on a small machine without a GPU."""

import os

from brant_hf.app.serving import serve

MAX_SIZE = "200mb"
NOTICE = """**What you drop here leaves your machine**: it goes to a computer of Hugging Face, is searched there,
and is deleted when you close the page. Give no recording that names a patient, as in the header of an EDF file, or
that you must not share; `brant-hf app` shows this page on your own machine. For research; not a medical device."""

if __name__ == "__main__":
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    serve(host="0.0.0.0", port=port, max_size=MAX_SIZE, notice=NOTICE)
