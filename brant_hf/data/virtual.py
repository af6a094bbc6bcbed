"""Virtual patients, under the name that they had before: see `brant_hf.simulation`."""

from ..simulation import ChannelSeizure, Seizure, VirtualPatient, simulate, simulate_patients, write_bids

__all__ = ["ChannelSeizure", "Seizure", "VirtualPatient", "simulate", "simulate_patients", "write_bids"]
