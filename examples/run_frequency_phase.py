"""Fine-tune Brant to forecast the dominant frequency and the phase of each channel: of 5 patches (30 s) in the paper.

    python examples/run_frequency_phase.py --dataset dataset/ --model outputs/pretrained --output_dir outputs/phase

The horizon is the end of each window, the rest is the context: for 15 patches of context and 5 of horizon, prepare the
dataset with `--num-patches 20`. Start it again with the same arguments to go on from the last checkpoint. `--help`
lists all arguments; each can also stand in a JSON or YAML file given first. With several processes, the loss of a step
is the mean of the means that each process takes over its windows: where windows differ in their number of channels, it
is not exactly that of one process with the same global batch.
"""

from brant_hf.training import FrequencyPhaseTask, run_script, run_task

if __name__ == "__main__":
    run_script(run_task, FrequencyPhaseTask)
