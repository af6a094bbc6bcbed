"""Miniatures of the port of the published weights in braindecode: its names, made by the modules of torch."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


class Embedding(nn.Module):
    def __init__(self, patch, hidden, patches):
        super().__init__()
        self.band_encoding = nn.Parameter(torch.randn(8, hidden))
        self.positional_encoding = nn.Parameter(torch.randn(patches, hidden))
        self.proj = nn.Sequential(nn.Linear(patch, hidden))


class Port(nn.Module):
    """The parts of the port of braindecode under their names, each made by torch."""

    def __init__(self, hidden=16, ffn=24, temporal=2, spatial=2, heads=4, patch=60, patches=5, labels=2):
        super().__init__()

        def encoder(layers):
            layer = nn.TransformerEncoderLayer(hidden, heads, ffn, batch_first=True)
            return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

        self.temporal_encoder = nn.Module()
        self.temporal_encoder.input_embedding = Embedding(patch, hidden, patches)
        self.temporal_encoder.trans_enc = encoder(temporal)
        self.spatial_encoder = nn.Module()
        self.spatial_encoder.proj_out = nn.Sequential(nn.Linear(hidden, patch))
        self.spatial_encoder.trans_enc = encoder(spatial)
        self.final_layer = nn.Module()
        widths = (hidden, hidden // 2, hidden // 4)
        self.final_layer.mlp = nn.Sequential(
            nn.Linear(*widths[:2]), nn.ReLU(), nn.Linear(*widths[1:]), nn.ReLU(), nn.Linear(widths[2], labels)
        )
        for parameter in self.parameters():  # the layers of an encoder begin as copies of one
            nn.init.normal_(parameter, std=0.3)
        self.fields = {
            "patch_size": patch,
            "embed_dim": hidden,
            "ffn_dim": ffn,
            "temporal_n_layers": temporal,
            "spatial_n_layers": spatial,
            "n_heads": heads,
            "n_freq_bands": 8,
            "drop_prob": 0.1,
            "activation": "torch.nn.modules.activation.ReLU",
            "n_outputs": labels,
            "n_chans": 3,
            "chs_info": None,
            "n_times": patch * patches,
            "input_window_seconds": None,
            "sfreq": 250.0,
            "braindecode_version": "1.8.0",
        }

    @torch.no_grad()
    def hidden_states(self, signal, power):
        """After the embedding and after each layer, `(batch, channels, patches, hidden)`."""
        embedding = self.temporal_encoder.input_embedding
        batch, channels, _ = signal.shape
        patches = signal.reshape(batch, channels, -1, embedding.proj[0].in_features)
        states = embedding.proj(patches) + power.softmax(-1) @ embedding.band_encoding + embedding.positional_encoding
        found = [states]
        for layer in self.temporal_encoder.trans_enc.layers:
            found.append(layer(found[-1].flatten(0, 1)).unflatten(0, (batch, channels)))
        for layer in self.spatial_encoder.trans_enc.layers:
            across = found[-1].transpose(1, 2)
            found.append(layer(across.flatten(0, 1)).unflatten(0, across.shape[:2]).transpose(1, 2))
        return found

    def save(self, folder: Path, dtype=torch.float32, fields=None, change=None) -> Path:
        folder.mkdir(parents=True)
        tensors = {key: tensor.to(dtype) for key, tensor in self.state_dict().items()}
        if change is not None:
            change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps({**self.fields, **(fields or {})}))
        (folder / "README.md").write_text("---\nlicense: apache-2.0\nlibrary_name: braindecode\n---\n# Brant\n")
        return folder
