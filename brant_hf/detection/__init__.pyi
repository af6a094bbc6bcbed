from ..checkpoints import load_detector as load_detector, shipped_checkpoint as shipped_checkpoint
from ..events.annotation_files import write_annotations as write_annotations
from ..events.event import SeizureEvent as SeizureEvent, to_annotations as to_annotations
from ..events.tables import (
    EventFile as EventFile,
    read_event_file as read_event_file,
    read_events as read_events,
    write_bids_events as write_bids_events,
    write_events as write_events,
)
from .agreement import Agreement as Agreement, Match as Match
from .background import (
    Background as Background,
    line_length as line_length,
    recording_probability as recording_probability,
)
from .calibration import calibrate as calibrate, calibration_report as calibration_report
from .decision import describe_events as describe_events, find_events as find_events
from .detector import Detector as Detector
from .embedding import embed_recording as embed_recording, embed_recordings as embed_recordings
from .explanation import NearMiss as NearMiss, Remedy as Remedy, near_misses as near_misses, remedies as remedies
from .finetuning import FinetuneReport as FinetuneReport, finetune_detector as finetune_detector
from .finetuning_judgement import Judgement as Judgement
from .many import detect_recordings as detect_recordings
from .pipeline import SeizureDetectionPipeline as SeizureDetectionPipeline
from .plots import plot_overview as plot_overview
from .recruitment import ChannelRecruitment as ChannelRecruitment, channel_recruitment as channel_recruitment
from .recruitment_plots import plot_recruitment as plot_recruitment
from .report import write_report as write_report
from .result import DetectionResult as DetectionResult
from .scoring import (
    Score as Score,
    compare_events as compare_events,
    compare_files as compare_files,
    pool as pool,
    score_events as score_events,
    score_files as score_files,
)
from .settings import DetectionSettings as DetectionSettings
from .summary import RecordingSummary as RecordingSummary
