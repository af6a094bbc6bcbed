#!/usr/bin/env bash
# Every task on 20 virtual patients, small models, and the table of each task: examples/virtual_patients.sh [OUTPUT]
# Stages that are complete are skipped. From the environment: PYTHON, the program; STEPS of each training; BATCH, windows
# of a step; JOBS, how many tasks at a time; WORKERS that make the batches of each; EVERY, steps between evaluations;
# PATCHTST, its steps, 0 leaves it out; PATIENTS and their DURATION [s].
set -euo pipefail
out=${1:-outputs/virtual_patients}
python=${PYTHON:-python}
steps=${STEPS:-1500} batch=${BATCH:-16} jobs=${JOBS:-1} workers=${WORKERS:-0} every=${EVERY:-250}
patchtst=${PATCHTST:-$steps}
here=$(dirname "$0")
mkdir -p "$out/logs"

"$python" "$here/virtual_windows.py" "$out" --patients "${PATIENTS:-20}" --duration "${DURATION:-600}" --num-proc "$jobs"

# As many hidden units for each sample of a patch as the published model has: 352 / 250 and 2048 / 1500.
small=hidden_size=352,intermediate_size=704,num_temporal_layers=3,num_spatial_layers=1,num_attention_heads=4
common=(--split_fractions 0.5,0.15,0.35 --max_channels 8 --per_device_train_batch_size "$batch" --eval_strategy steps
  --eval_steps "$every" --save_strategy steps --save_steps "$every" --logging_steps 50 --report_to none --disable_tqdm true)
((workers == 0)) || common+=(--dataloader_num_workers "$workers" --dataloader_persistent_workers true)

train() { # SCRIPT NAME PATCHES [MORE ...]
  local script=$1 name=$2 patches=$3
  shift 3
  [ -f "$out/$name/README.md" ] || "$python" "$here/run_$script.py" \
    --dataset "$out/windows$patches"/* --output_dir "$out/$name" --max_steps "$steps" "${common[@]}" "$@"
}

compare() { # TASK NAME PATCHES STEPS CHECKPOINT=FOLDER [MORE ...]
  local task=$1 name=$2 patches=$3 steps=$4
  shift 4
  [ -f "$out/tables/$name/$task.md" ] || "$python" "$here/compare_baselines.py" --task "$task" \
    --dataset "$out/windows$patches"/* --split_fractions 0.5,0.15,0.35 --output "$out/tables/$name" \
    --budget_steps "$steps" --batch_size "$batch" --learning_rate 5e-4 \
    --num_workers "$workers" --checkpoint "$@"
}

run() { # train|compare ... in the background, as many at a time as JOBS
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
  "$@" >"$out/logs/$1_$3.txt" 2>&1 &
}

finish() { # what was begun
  for job in $(jobs -p); do wait "$job" || echo "failed, see $out/logs" >&2; done
}

from_nothing=(--size tiny --config_overrides "$small" --normalize zscore --learning_rate 5e-4)
from=(--model "$out/pretrained" --learning_rate 5e-4 --head_learning_rate 5e-4)

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
