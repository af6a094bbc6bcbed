"""Published corpora, each read from the folder layout in which it is distributed.

- `load_mayo_fnusa`: MAYO and FNUSA graphoelements (Nejedly et al. 2020), window rows of single-channel clips
- `load_bonn`: Bonn sets C, D, E (Andrzejak et al. 2001), single-channel recordings of 23.6 s
- `load_swec_ethz_short_term`: SWEC-ETHZ short-term (Burrello et al. 2018), recordings of one seizure each
- `load_swec_ethz_long_term`: SWEC-ETHZ long-term (Burrello et al. 2019), recordings of one hour each
- `load_swec_hub`: SWEC as on the Hub (Carzaniga et al. 2025), recordings of days, one for each subject;
  `index_swec_hub` tells its parts and seizures before they are downloaded
- `load_kaggle_seizure_detection`: Seizure Detection Challenge of UPenn and Mayo Clinic, recordings joined from clips
- `load_openneuro`: OpenNeuro ds003029, ds004100 and other iEEG-BIDS sets with seizures, recordings

No function downloads anything: get a corpus from where its function says, under the terms stated there.
"""

from ..._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
