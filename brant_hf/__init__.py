"""Brant, the foundation model for intracranial EEG, in Hugging Face Transformers."""
