#!/usr/bin/env bash
# Every task on 20 virtual patients, small models, and the table of each task: examples/virtual_patients.sh [OUTPUT]
# From the environment, beside what task_tables.sh says: PATIENTS and their DURATION [s].
set -euo pipefail
out=${1:-outputs/virtual_patients}
splits=(--split_fractions 0.5,0.15,0.35)
# As many hidden units for each sample of a patch as the published model has: 352 / 250 and 2048 / 1500.
small=hidden_size=352,intermediate_size=704,num_temporal_layers=3,num_spatial_layers=1,num_attention_heads=4
. "$(dirname "$0")/task_tables.sh"
begin

"$python" "$here/virtual_windows.py" "$out" --patients "${PATIENTS:-20}" --duration "${DURATION:-600}" --num-proc "$jobs"

run train pretraining pretrained 15 "${from_nothing[@]}" --config_overrides "$small,loss_on=masked,mask_band_power=true"
# The head of pre-training gives the signal, that of these the difference to a line.
run train imputation points 15 "${from_nothing[@]}" --mask points --missing_values linear
run train imputation blocks 15 "${from_nothing[@]}" --mask blocks --block_length 50 --missing_values linear
finish
run train imputation points_zero 15 "${from[@]}" --mask points
run train imputation blocks_zero 15 "${from[@]}" --mask blocks --block_length 50
run train frequency_phase phase 20 "${from_nothing[@]}" --horizon_patches 5 --objective metrics
run train frequency_phase phase_published 20 "${from[@]}" --horizon_patches 5
run train forecasting short 17 "${from[@]}" --horizon_patches 2 --prediction_dropout 0
run train forecasting long 35 "${from[@]}" --horizon_patches 20 --prediction_dropout 0
run train seizure_detection detection 15 "${from[@]}"
finish
run compare imputation points 15 "$patchtst" "Brant=$out/points" "Brant, missing samples as 0=$out/points_zero" --masks points
run compare imputation blocks 15 "$patchtst" "Brant=$out/blocks" "Brant, missing samples as 0=$out/blocks_zero" \
  --masks blocks --block_length 50
run compare frequency_phase phase 20 0 "Brant=$out/phase" "Brant, published loss=$out/phase_published"
run compare forecasting short 17 "$patchtst" "Brant=$out/short"
run compare forecasting long 35 0 "Brant=$out/long"
run compare detection detection 15 "$patchtst" "Brant=$out/detection"
finish
cat "$out"/tables/*/*.md
