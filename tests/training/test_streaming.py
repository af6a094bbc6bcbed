"""A stream that several processes train on."""

import json
import os
from itertools import chain
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from datasets import Dataset, IterableDataset
from transformers import TrainingArguments

from brant_hf.training import RecipeTrainer
from brant_hf.training.streaming import EndlessStream
from brant_hf.training.trainer import LENGTHS_FOLDER

PROCESSES, ROWS, BATCH = 2, 64, 4


def stream(shards: int, rows: int = ROWS) -> EndlessStream:
    """A stream of so many shards, or from disk (0)."""
    columns = Dataset.from_dict({"number": list(range(rows))})
    return EndlessStream(columns.to_iterable_dataset(num_shards=shards) if shards else columns, buffer_size=8)


def numbers(rows, count: int) -> list[int]:
    return [row["number"] for row, _ in zip(rows, range(count), strict=False)]


@pytest.mark.parametrize(
    ("shards", "processes"),
    [(16, 1), (16, 2), (16, 8), (40, 3), (3, 2), (1, 2), (0, 1), (0, 2), (0, 3), (0, 100)],
    ids=lambda value: f"{value}",
)
def test_processes_share_a_pass(shards, processes):
    shares = []
    for rank in range(processes):
        own = stream(shards)
        own.share(rank, processes)
        first_pass = [row["number"] for row in _until_second_pass(own)]
        shares.append(first_pass)
        own.share(rank, processes)
        assert numbers(own, len(first_pass)) == first_pass
    assert sorted(chain(*shares)) == list(range(ROWS))
    # A shard more, or a window.
    assert max(map(len, shares)) - min(map(len, shares)) <= (-(-ROWS // shards) if shards else 1)
    assert processes > 1 or shares[0] != list(range(ROWS))


@pytest.mark.parametrize("shards", [16, 0])
@pytest.mark.parametrize("are_lengths_known", [False, True])
@pytest.mark.parametrize("given", [0, 1, 13, ROWS, ROWS + 5, 3 * ROWS + 1])
def test_a_stream_goes_on_where_it_was(tmp_path, given, shards, are_lengths_known):
    straight = numbers(stream(shards), 4 * ROWS)
    rows = stream(shards)
    rows.keep_lengths(tmp_path / "noted")
    iterator = iter(rows)
    before = [next(iterator)["number"] for _ in range(given)]
    other = stream(shards)
    other.keep_lengths(tmp_path / ("noted" if are_lengths_known else "nothing"))
    other.load_state_dict(rows.state_dict())
    assert before + numbers(other, 4 * ROWS - given) == straight


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS + 1])
def test_a_dataset_that_has_changed_is_refused(tmp_path, rows):
    noted = stream(16)
    noted.keep_lengths(tmp_path)
    numbers(noted, ROWS + 1)
    other = stream(16, rows)
    other.keep_lengths(tmp_path)
    with pytest.raises(ValueError, match="another output folder"):
        numbers(other, ROWS + 1)
    # In as many parts as there were; otherwise nothing of it is known.
    assert sorted(numbers(stream(8, rows), rows)) == list(range(rows))


class Noted:
    """Rows on disk; each that is read is noted in a file, whichever process reads it."""

    def __init__(self, file):
        self.file = file

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        with self.file.open("a") as file:
            file.write(f"{index}\n")
        return {"x": torch.tensor([float(index)])}

    def read(self):
        found = [int(line) for line in self.file.read_text().split()]
        self.file.unlink()
        return found


class Seen(torch.nn.Module):
    """Notes what it is given."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = torch.nn.Parameter(torch.zeros(1)), []

    def forward(self, x):
        self.seen += x.flatten().tolist()
        return {"loss": (self.weight * x).mean()}


class NotedShards(Noted):
    """Rows of a stream of 16 shards; each that is read is noted."""

    def stream(self):
        def generate(shards):
            for shard in shards:
                for index in range(shard, ROWS, 16):
                    yield self[index]

        return IterableDataset.from_generator(generate, gen_kwargs={"shards": list(range(16))})


def _train_noted(folder, rows: Noted, workers: int, resume: bool = False):
    """Train for 14 steps of two batches, or for those after the eleventh; gives the model and the epoch of the end."""
    model = Seen()
    arguments = TrainingArguments(
        str(folder / "run"),
        max_steps=14,
        gradient_accumulation_steps=2,
        per_device_train_batch_size=BATCH,
        save_steps=11,  # 88 windows, in the second pass, and 22 batches, which is no multiple of 3 workers
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=2 if workers else None,
        dataloader_pin_memory=False,
        accelerator_config={"dispatch_batches": False},
        remove_unused_columns=False,
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
    )
    collate = lambda windows: {"x": torch.stack([row["x"] for row in windows])}  # noqa: E731
    stream = EndlessStream(rows.stream() if isinstance(rows, NotedShards) else rows, buffer_size=8)
    trainer = RecipeTrainer(model=model, args=arguments, train_dataset=stream, data_collator=collate)
    trainer.train(str(folder / "run" / "checkpoint-11") if resume else None)
    return model, trainer.state.log_history[-1]["epoch"]


@pytest.mark.parametrize("kind", [Noted, NotedShards])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_a_training_that_resumes_reads_nothing_that_was_seen(tmp_path, workers, kind):
    rows = kind(tmp_path / "read.txt")
    model, _ = _train_noted(tmp_path, rows, workers)
    whole, weight = model.seen, model.weight.item()
    assert len(whole) == 14 * 2 * BATCH
    assert len(rows.read()) >= len(whole)
    noted = tmp_path / "run" / LENGTHS_FOLDER
    assert any(noted.iterdir()) if kind is NotedShards else not noted.exists()
    model, epoch = _train_noted(tmp_path, rows, workers, resume=True)
    rest = model.seen
    assert (model.weight.item(), epoch) == (weight, 1)
    assert rest == whole[11 * 2 * BATCH :]
    # Further batches are on their way.
    most = len(rest) + (3 * workers + 1) * BATCH
    if kind is NotedShards:
        # Each worker reads the shards, of 4 rows, that rows of its buffer are of; none reads the pass that is over.
        most = min(most + max(workers, 1) * 5 * 4, ROWS + 3 * workers * BATCH)
    assert len(rest) <= len(rows.read()) <= most < len(whole)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_run_that_was_killed_behind_its_last_step_takes_no_further_one(tmp_path, streamed):
    def train(resume=None):
        model = Seen()
        settings = {"use_cpu": True, "disable_tqdm": True, "report_to": "none", "remove_unused_columns": False}
        # 14 steps end within an epoch of 16.
        arguments = TrainingArguments(str(tmp_path), max_steps=14, per_device_train_batch_size=BATCH, **settings)
        collate = lambda windows: {"x": torch.stack([row["x"] for row in windows])}  # noqa: E731
        rows = Dataset.from_dict({"x": [[float(number)] for number in range(ROWS)]}).with_format("torch")
        rows = EndlessStream(rows) if streamed else rows
        RecipeTrainer(model=model, args=arguments, train_dataset=rows, data_collator=collate).train(resume)
        return model

    whole, again = train(), train(str(tmp_path / "checkpoint-14"))
    assert (len(whole.seen), again.seen) == (14 * BATCH, [])
    assert again.weight.item() == whole.weight.item() != 0


def test_a_new_run_in_an_old_folder_knows_nothing_of_another_dataset(tmp_path):
    noted = tmp_path / "run" / LENGTHS_FOLDER
    noted.mkdir(parents=True)
    lengths = {"num_shards": 16, "rows": dict.fromkeys(range(16), 3)}
    (noted / "0-0.json").write_text(json.dumps(lengths), encoding="utf-8")
    model, _ = _train_noted(tmp_path, NotedShards(tmp_path / "read.txt"), workers=0)
    assert sorted(model.seen[:ROWS]) == list(range(ROWS))


def _until_second_pass(rows):
    for row in rows:
        if row["pass"]:
            return
        yield row


def _be_rank(rank: int, folder: str) -> None:
    """Join the other processes of a training."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(PROCESSES)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(PROCESSES), "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}  # not used
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=PROCESSES)


def _resume(rank: int, folder: str) -> None:
    _be_rank(rank, folder)
    rows = Noted(Path(folder) / f"read-{rank}.txt")
    found = {}
    for name, resume in (("whole", False), ("rest", True)):
        model, _ = _train_noted(Path(folder), rows, workers=0, resume=resume)
        found[name] = {"seen": model.seen, "weight": model.weight.item(), "read": rows.read()}
        dist.barrier()
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_each_process_of_a_training_that_resumes_reads_nothing_that_was_seen(tmp_path):
    torch.multiprocessing.start_processes(_resume, (str(tmp_path),), nprocs=PROCESSES, start_method="fork")
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]
    # A pass is 8 batches of each.
    assert sorted(found[0]["whole"]["seen"][: ROWS // 2] + found[1]["whole"]["seen"][: ROWS // 2]) == list(range(ROWS))
    for each in found:
        whole, rest = each["whole"], each["rest"]
        assert rest["seen"] == whole["seen"][11 * 2 * BATCH :]
        assert rest["weight"] == whole["weight"] == found[0]["whole"]["weight"] != 0
        assert len(rest["read"]) <= len(rest["seen"]) + BATCH


def _train(rank: int, folder: str) -> None:
    _be_rank(rank, folder)
    read = []

    class Counted(EndlessStream):
        def __iter__(self):
            for row in super().__iter__():
                read.append(row["number"])
                yield row

    rows = Counted(Dataset.from_dict({"number": list(range(ROWS))}).to_iterable_dataset(num_shards=16), buffer_size=8)
    settings = {"report_to": "none", "disable_tqdm": True, "use_cpu": True, "remove_unused_columns": False}
    arguments = TrainingArguments(
        folder,
        max_steps=1,
        per_device_train_batch_size=BATCH,
        dataloader_pin_memory=False,
        accelerator_config={"dispatch_batches": False},
        **settings,
    )
    collate = lambda windows: {"number": torch.tensor([row["number"] for row in windows])}  # noqa: E731
    trainer = RecipeTrainer(model=torch.nn.Linear(1, 1), args=arguments, train_dataset=rows, data_collator=collate)
    batches = zip(trainer.get_train_dataloader(), range(ROWS // PROCESSES // BATCH), strict=False)
    seen = [batch["number"].tolist() for batch, _ in batches]
    torch.save({"seen": list(chain(*seen)), "read": read}, f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_each_process_of_a_training_reads_its_share_alone(tmp_path):
    torch.multiprocessing.start_processes(_train, (str(tmp_path),), nprocs=PROCESSES, start_method="fork")
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]
    assert sorted(found[0]["seen"] + found[1]["seen"]) == list(range(ROWS))
    for each in found:
        # One more batch is on its way.
        assert len(each["read"]) <= ROWS // PROCESSES + 2 * BATCH
