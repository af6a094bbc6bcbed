# Stages of the tables of all tasks, for virtual_patients.sh and real_ecog.sh, which set `out` and `splits` (arguments
# that tell how windows are split) and write the windows. Stages that are complete are skipped.
# From the environment: PYTHON, the program; STEPS of each training; BATCH, windows of a step; JOBS, how many tasks at a
# time; WORKERS that make the batches of each; EVERY, steps between evaluations; PATCHTST, its steps, 0 leaves it out.
python=${PYTHON:-python}
steps=${STEPS:-1500} batch=${BATCH:-16} jobs=${JOBS:-1} workers=${WORKERS:-0} every=${EVERY:-250}
patchtst=${PATCHTST:-$steps}
here=$(dirname "${BASH_SOURCE[0]}")

begin() { # the arguments of every training
  mkdir -p "$out/logs"
  common=("${splits[@]}" --max_channels 8 --per_device_train_batch_size "$batch" --eval_strategy steps
    --eval_steps "$every" --save_strategy steps --save_steps "$every" --logging_steps 50 --report_to none --disable_tqdm true)
  ((workers == 0)) || common+=(--dataloader_num_workers "$workers" --dataloader_persistent_workers true)
  from_nothing=(--size tiny --config_overrides "$small" --normalize zscore --learning_rate 5e-4)
  from=(--model "$out/pretrained" --learning_rate 5e-4 --head_learning_rate 5e-4)
}

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
    --dataset "$out/windows$patches"/* "${splits[@]}" --output "$out/tables/$name" \
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
