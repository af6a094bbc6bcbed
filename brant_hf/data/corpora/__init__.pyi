from ..recordings.readers.swec import SwecIndex as SwecIndex, SwecPart as SwecPart
from .bonn import load_bonn as load_bonn
from .kaggle import load_kaggle_seizure_detection as load_kaggle_seizure_detection
from .mayo_fnusa import ClipRows as ClipRows, load_mayo_fnusa as load_mayo_fnusa, mayo_fnusa_folds as mayo_fnusa_folds
from .openneuro import load_openneuro as load_openneuro
from .swec_ethz import (
    index_swec_hub as index_swec_hub,
    load_swec_ethz_long_term as load_swec_ethz_long_term,
    load_swec_ethz_short_term as load_swec_ethz_short_term,
    load_swec_hub as load_swec_hub,
)
