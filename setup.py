import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
README = HERE / "README.md"
# Not imported: what the package needs is not there yet.
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "brant_hf/__init__.py").read_text(), re.MULTILINE)[1]

TEST = [
    "pytest>=8",
    "pytest-xdist>=3.6",
    "hypothesis>=6",
    "pynwb>=2.8",
    "peft>=0.18",
    "bids-validator-deno>=2",
    "eeglabio>=0.1",
    "pymef>=1.4",
    "neo>=0.14",
    "mffpy>=0.11",
    "pybv>=0.8",
    "parameterized>=0.9",
    "epilepsy2bids>=0.0.7",
    "hedtools>=1.3",
    "hdf5plugin>=5.0",
    "distributed>=2025.1",
    "onnx>=1.19",
    "onnxscript>=0.7",
    "onnxruntime>=1.23",
    "gradio>=6.31,<7",  # 93 MB with what it needs
    "playwright>=1.50",  # 174 MB; browsers are not part of it
]

setup(
    name="brant_hf",
    version=VERSION,
    description="Brant, the foundation model for intracranial EEG, in Hugging Face Transformers",
    long_description=README.read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["brant_hf", "brant_hf.*"]),
    package_data={
        "brant_hf": [
            "py.typed",
            "__init__.pyi",
            "*/__init__.pyi",
            "*/*/__init__.pyi",
            "app/*.css",
            "app/*.html",
            "detection/*.css",
            "detection/*.html",
            "detection/report.js",
            "assets/detector/*",
            "assets/demo/*",
        ],
    },
    python_requires=">=3.11",
    install_requires=[
        "torch>=2.8",
        "transformers>=5.20,<6",
        "datasets>=4.0",
        "pyarrow>=21",
        "filelock>=3.16",
        "accelerate>=1.10",
        "safetensors>=0.8",
        "huggingface_hub>=2.4",
        "numpy>=2.1",
        "scipy>=1.14",
        "scikit-learn>=1.6",
        "joblib>=1.4",
        "soxr>=0.5",
        "matplotlib>=3.11",
        "plotly>=6.0",
        "jinja2>=3.1",
        "mne>=1.13",
        "mne-bids>=0.20",
        "edfio>=0.4.18",
        "timescoring>=0.0.7",
        "tqdm>=4.67",
        "typer>=0.29",
    ],
    extras_require={
        "nwb": ["pynwb>=2.8"],
        "mef": ["mne>=1.13", "pymef>=1.4"],
        "mat": ["h5py>=3.10"],
        "neo": ["neo>=0.14"],
        "swec": ["h5py>=3.10", "hdf5plugin>=5.0"],
        "onnx": ["onnx>=1.19", "onnxscript>=0.7", "onnxruntime>=1.23"],
        "cluster": ["distributed>=2025.1", "dask-jobqueue>=0.9"],
        "app": ["gradio>=6.31,<7"],
        "baselines": ["brainmaze-eeg-models>=0.1"],
        "docs": [
            "sphinx>=8.2",
            "myst-parser>=5.0",
            "sphinx-gallery>=0.20",
            "sphinx-copybutton>=0.5.2",
            "furo>=2025.7.19",
            "latex2mathml>=3.78",
        ],
        "test": TEST,
        "dev": [
            *TEST,
            "build>=1.2",
            "ruff==0.17.6",
            "transformers-mlinter==0.1.5",
            "mypy==2.4.1",
            "types-PyYAML",
            "types-tqdm",
        ],
    },
    entry_points={"console_scripts": ["brant-hf = brant_hf.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
