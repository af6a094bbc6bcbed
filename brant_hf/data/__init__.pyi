from .batches.augmentation import Augmentation as Augmentation, AugmentedWindows as AugmentedWindows
from .batches.collators import (
    ForecastingCollator as ForecastingCollator,
    ImputationCollator as ImputationCollator,
    PretrainingCollator as PretrainingCollator,
    SeizureDetectionCollator as SeizureDetectionCollator,
    WindowCollator as WindowCollator,
    epoch_callback as epoch_callback,
)
from .batches.sampling import ChannelGroupedSampler as ChannelGroupedSampler, channel_counts as channel_counts
from .dataset.additions import PrepareReport as PrepareReport
from .dataset.like import settings_like as settings_like
from .dataset.load import load as load
from .dataset.merging import merge_prepared as merge_prepared
from .dataset.prepare import prepare as prepare
from .dataset.splits import check_splits as check_splits, k_fold as k_fold, save_splits as save_splits, split as split
from .inspection import inspect_recording as inspect_recording
from .preprocessing import (
    PreprocessedRecording as PreprocessedRecording,
    Preprocessing as Preprocessing,
    preprocess as preprocess,
)
from .recordings import Recording as Recording, find_recordings as find_recordings, open_recording as open_recording
from .windows import IGNORED_LABEL as IGNORED_LABEL
