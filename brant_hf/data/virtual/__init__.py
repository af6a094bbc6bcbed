"""Virtual patients: simulated stereo-EEG with seizures of known onset and offset on every channel."""

from .patient import VirtualPatient, simulate_patients
from .seizures import ChannelSeizure, Seizure

__all__ = ["VirtualPatient", "simulate_patients", "Seizure", "ChannelSeizure"]
