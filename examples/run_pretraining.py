"""Pre-train Brant: reconstruct masked patches.

    python examples/run_pretraining.py --dataset dataset/ --size tiny --output_dir outputs/pretrained
    accelerate launch --config_file examples/accelerate/fsdp2_8_gpus.yaml examples/run_pretraining.py settings.yaml

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first. With several processes, the loss of a step is the mean of the means that each
process takes over its windows: where windows differ in their number of channels, it is not exactly that of one process
with the same global batch.
"""

from brant_hf.training import PretrainingTask, run_script, run_task

if __name__ == "__main__":
    run_script(run_task, PretrainingTask)
