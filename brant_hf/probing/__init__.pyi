from .embedder import BrantEmbedder as BrantEmbedder, embed_windows as embed_windows
from .folds import ProbeReport as ProbeReport, probe_layers as probe_layers
from .probes import choose_strength as choose_strength, make_probe as make_probe
