#!/usr/bin/env bash
# Prepares recordings with a SLURM job array, and makes one dataset of the shares:
#
#     examples/cluster/slurm_prepare.sh bids_folder/ windows/ [options of brant-hf prepare]
#
# Start it again after tasks were killed: recordings that are done and unchanged are skipped. TASKS is the number of
# tasks (16); what else SLURM is to know stands in variables such as SBATCH_PARTITION and SBATCH_TIMELIMIT.
set -euo pipefail
source=$1 out=$2
shift 2
command=$(printf "%q " brant-hf prepare "$source" "$out" --shard auto "$@")

# Each task has one core, as a recording is prepared by one process. `auto` takes the share from SLURM_ARRAY_TASK_ID.
job=$(sbatch --parsable --array="1-${TASKS:-16}" --cpus-per-task=1 --mem=4G --wrap "$command")

# After all tasks have ended, also where one has failed: what failed is listed again at the end, and exits with 2.
sbatch --dependency="afterany:$job" --cpus-per-task=1 --mem=4G --wrap "$(printf "%q " brant-hf merge "$out")"
