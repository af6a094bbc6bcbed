#!/usr/bin/env bash
# Every task on 20 virtual patients, small models, and the table of each task: examples/virtual_patients.sh [OUTPUT]
# Stages that are complete are skipped. PYTHON and BRANT_HF name the programs; those on the path if absent.
set -euo pipefail
out=${1:-outputs/virtual_patients}
python=${PYTHON:-python}
brant=${BRANT_HF:-brant-hf}
here=$(dirname "$0")
mkdir -p "$out"

[ -d "$out/recordings" ] || "$brant" simulate "$out/recordings" --patients 20 --channels 16 --sampling-rate 256 --seed 20
for patches in 15 17 20 35; do
  [ -f "$out/windows$patches/manifest.jsonl" ] ||
    "$brant" prepare "$out/recordings" "$out/windows$patches" --patch-length 250 --num-patches "$patches"
done

small=hidden_size=128,intermediate_size=256,num_temporal_layers=3,num_spatial_layers=1,num_attention_heads=4,initializer_range=0.03266
common=(--split_fractions 0.5,0.15,0.35 --max_channels 8 --per_device_train_batch_size 8 --eval_strategy steps
  --eval_steps 200 --save_strategy steps --save_steps 200 --logging_steps 50 --report_to none --disable_tqdm true)

train() { # SCRIPT NAME STEPS PATCHES [MORE ...]
  local script=$1 name=$2 steps=$3 patches=$4
  shift 4
  [ -f "$out/$name/README.md" ] || "$python" "$here/run_$script.py" --dataset "$out/windows$patches" \
    --output_dir "$out/$name" --max_steps "$steps" "${common[@]}" "$@"
}

compare() { # TASK PATCHES STEPS NAME [MORE ...]
  local task=$1 patches=$2 steps=$3 name=$4
  shift 4
  [ -f "$out/tables/$name/$task.md" ] || "$python" "$here/compare_baselines.py" --task "$task" \
    --dataset "$out/windows$patches" --split_fractions 0.5,0.15,0.35 --output "$out/tables/$name" \
    --checkpoint "Brant=$out/$name" --budget_steps "$steps" "$@"
}

train pretraining pretrained 1000 15 --size tiny --config_overrides "$small,loss_on=masked,mask_band_power=true" \
  --normalize zscore --learning_rate 5e-4
from=(--model "$out/pretrained" --learning_rate 5e-4 --head_learning_rate 5e-4)
train seizure_detection detection 600 15 "${from[@]}"
compare detection 15 600 detection
train forecasting short 600 17 "${from[@]}" --horizon_patches 2
compare forecasting 17 600 short
train imputation blocks 600 15 "${from[@]}" --mask blocks --block_length 50
compare imputation 15 600 blocks --masks blocks --block_length 50
train imputation points 600 15 "${from[@]}" --mask points
compare imputation 15 600 points --masks points
train forecasting long 600 35 "${from[@]}" --horizon_patches 20
compare forecasting 35 0 long
train frequency_phase phase 600 20 "${from[@]}" --horizon_patches 5
compare frequency_phase 20 0 phase
cat "$out"/tables/*/*.md
