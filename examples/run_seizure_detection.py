"""Fine-tune Brant to detect seizures in every channel and patch.

    python examples/run_seizure_detection.py --dataset dataset/ --model outputs/pretrained --class_weights sqrt
    python examples/run_seizure_detection.py --dataset dataset/ --model you/brant --tuning lora

Start it again with the same arguments to go on from the last checkpoint. `--help` lists all arguments; each can also
stand in a JSON or YAML file given first. With several processes, the loss of a step is the mean of the means that each
process takes over its windows: where windows differ in their number of channels, it is not exactly that of one process
with the same global batch.
"""

from brant_hf.training import SeizureDetectionTask, run_script, run_task

if __name__ == "__main__":
    run_script(run_task, SeizureDetectionTask)
