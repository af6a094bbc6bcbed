#!/bin/sh
# Detect the two seizures of a virtual patient, and none in a real recording without seizures, with the shipped checkpoint.
set -eu
here=$(dirname "$0")
out=${1:-outputs/detect}
patient=$here/data/virtual_patient/sub-01/ieeg/sub-01_task-szMonitoring_run-01
mkdir -p "$out"

echo "A virtual patient with two seizures:"
brant-hf detect "${patient}_ieeg.edf" "$out/events.tsv" --annotations "${patient}_events.tsv" \
  --plot "$out/overview.png" --report "$out/report.html"
echo
echo "Real ECoG without a seizure:"
brant-hf detect "$here/data/py_neuromodulation_ecog/sub-testsub/ses-EphysMedOff/ieeg/"*.vhdr "$out/ecog.tsv"
