"""Virtual patients: simulated stereo-EEG with seizures of known onset and offset on every channel."""

from .bids import simulate, write_bids
from .patient import VirtualPatient, simulate_patients
from .seizures import ChannelSeizure, Seizure

__all__ = ["VirtualPatient", "simulate_patients", "simulate", "write_bids", "Seizure", "ChannelSeizure"]
