"""Seizure events: their form, the tables they are kept in, and the words that mean a seizure."""
