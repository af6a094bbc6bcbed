#!/usr/bin/env bash
# The tasks without labels on the real recordings of examples/data, and the table of each: examples/real_ecog.sh [OUTPUT]
# 19 s of ECoG and of the subthalamic nucleus, and 30 s of stereo-EEG with a seizure; the first half trains, the last
# three tenths are predicted. They are short, so patches are 0.16 s in place of 6 s. Settings: see
# task_tables.sh, and BRANT_HF, the command `brant-hf`.
set -euo pipefail
out=${1:-outputs/real_ecog}
splits=(--split_by time --split_fractions 0.5,0.2,0.3)
patch=40
# As many hidden units for each sample of a patch as the published model has: 56 / 40 and 2048 / 1500.
small=hidden_size=56,intermediate_size=112,num_temporal_layers=3,num_spatial_layers=1,num_attention_heads=4
. "$(dirname "$0")/task_tables.sh"
begin

windows() { # NAME RECORDING [MORE ...]
  local name=$1 recording=$2
  shift 2
  for patches in 15 17 20 35; do
    "${BRANT_HF:-brant-hf}" prepare "$recording" "$out/windows$patches/$name" --patch-length $patch --num-patches $patches \
      --stride 1 "$@" >"$out/logs/prepare_$name$patches.txt"
  done
}

windows ecog "$here/data/py_neuromodulation_ecog" --gain 1e-6
windows seeg "$here/data/ds003029_pt01_ezei" --subject pt01

run train pretraining pretrained 15 "${from_nothing[@]}" --config_overrides "$small,loss_on=masked,mask_band_power=true"
run train imputation points 15 "${from_nothing[@]}" --mask points --missing_values linear
run train imputation blocks 15 "${from_nothing[@]}" --mask blocks --block_length 50 --missing_values linear
run train frequency_phase phase 20 "${from_nothing[@]}" --horizon_patches 5 --objective metrics
finish
run train forecasting short 17 "${from[@]}" --horizon_patches 2 --prediction_dropout 0
run train forecasting long 35 "${from[@]}" --horizon_patches 20 --prediction_dropout 0
finish
run compare imputation points 15 "$patchtst" "Brant=$out/points" --masks points
run compare imputation blocks 15 "$patchtst" "Brant=$out/blocks" --masks blocks --block_length 50
run compare frequency_phase phase 20 0 "Brant=$out/phase"
run compare forecasting short 17 "$patchtst" "Brant=$out/short"
run compare forecasting long 35 0 "Brant=$out/long"
finish
cat "$out"/tables/*/*.md
