"""Works on many recordings with workers that dask starts as jobs of SLURM, as many as there are recordings to do.

python examples/cluster/dask_jobs.py --partition PARTITION prepare bids_folder/ windows/
python examples/cluster/dask_jobs.py --partition PARTITION --memory "8 GiB" detect bids_folder/ events/ --report html

A cluster that runs already needs no script: brant-hf detect bids_folder/ events/ --scheduler tcp://HOST:8786
"""

import argparse

from dask_jobqueue import SLURMCluster
from distributed import Client

from brant_hf.cli import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partition", help="of SLURM")
    parser.add_argument("--jobs", type=int, default=16, help="most jobs at a time")
    parser.add_argument("--memory", default="4 GiB", help="of a job: a recording, and for detect and embed a model")
    parser.add_argument("command", choices=["prepare", "detect", "embed"], help="command of brant-hf")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments; all machines see the same files")
    given = parser.parse_args()

    # One thread a worker: a worker has one recording at a time. Nothing is copied to the workers but paths.
    cluster = SLURMCluster(queue=given.partition, cores=1, processes=1, memory=given.memory, walltime="04:00:00")
    cluster.adapt(minimum_jobs=1, maximum_jobs=given.jobs)
    with cluster, Client(cluster) as client:
        client.wait_for_workers(1)  # as long as the queue takes
        # What failed is tried again by the next run, which skips the rest.
        main([given.command, *given.arguments, "--scheduler", cluster.scheduler_address])
