"""Prepares recordings with workers that dask starts as jobs of SLURM, as many as there are recordings to do.

python examples/cluster/dask_prepare.py bids_folder/ windows/ --partition PARTITION

A cluster that runs already needs no script: brant-hf prepare bids_folder/ windows/ --scheduler tcp://HOST:8786
"""

import argparse

from dask_jobqueue import SLURMCluster
from distributed import Client

from brant_hf.data import prepare

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a recording, a folder of recordings or an iEEG-BIDS folder")
    parser.add_argument("out", help="folder of the dataset, which all machines see under this name")
    parser.add_argument("--partition", help="of SLURM")
    parser.add_argument("--jobs", type=int, default=16, help="most jobs at a time")
    arguments = parser.parse_args()

    # One thread a worker: a worker has one recording at a time. Nothing is copied to the workers but paths.
    cluster = SLURMCluster(queue=arguments.partition, cores=1, processes=1, memory="4 GiB", walltime="04:00:00")
    cluster.adapt(minimum_jobs=1, maximum_jobs=arguments.jobs)
    with cluster, Client(cluster) as client:
        client.wait_for_workers(1)  # as long as the queue takes
        report = prepare(arguments.source, arguments.out, backend="dask")
    print(report)
    # What failed is tried again by the next run, which skips the rest.
    raise SystemExit(2 if report.failed else 0)
