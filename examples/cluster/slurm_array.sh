#!/usr/bin/env bash
# Works on many recordings with a SLURM job array, and unites the shares:
#
#     examples/cluster/slurm_array.sh prepare bids_folder/ windows/ [options of brant-hf prepare]
#     examples/cluster/slurm_array.sh detect bids_folder/ events/ [options of brant-hf detect]
#     examples/cluster/slurm_array.sh embed bids_folder/ embeddings/ [options of brant-hf embed]
#
# Start it again after tasks were killed: recordings that are done and unchanged are skipped. TASKS is the number of
# tasks (16); what else SLURM is to know stands in variables such as SBATCH_PARTITION and SBATCH_TIMELIMIT.
set -euo pipefail
task=$1 source=$2 out=$3
shift 3
command=$(printf "%q " brant-hf "$task" "$source" "$out" --shard auto "$@")

# Each task has one core, as a recording is worked on by one process. `auto` takes the share from SLURM_ARRAY_TASK_ID.
job=$(sbatch --parsable --array="1-${TASKS:-16}" --cpus-per-task=1 --mem=4G --wrap "$command")

# After all tasks have ended, also where one has failed: what failed is listed again at the end, and exits with 2.
sbatch --dependency="afterany:$job" --cpus-per-task=1 --mem=4G --wrap "$(printf "%q " brant-hf merge "$out")"
