#!/usr/bin/env bash
# usage: scripts/true-widths.sh COHORT [FOLDER]
# R1's true widths with one dense and one MoE layer: makes the checkpoint (about 16 GB, FP8) in FOLDER, or in a
# temporary one that is removed again, and completes a prompt through four workers. Prints what each process held.
set -euo pipefail
cohort=$(realpath "${1:?usage: scripts/true-widths.sh COHORT [FOLDER]}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=${2:-$work/model}

# R1's config.json with two layers, and without the MTP layer.
root=$(dirname "${BASH_SOURCE[0]}")/..
python3 - "$root/Tests/ClusterTests/Fixtures/deepseek-r1/config.json" "$work/config.json" <<'END'
import json, sys
config = json.load(open(sys.argv[1]))
config.update(num_hidden_layers=2, first_k_dense_replace=1, num_nextn_predict_layers=0)
json.dump(config, open(sys.argv[2], "w"))
END
[ -e "$model/config.json" ] || "$cohort" synth "$work/config.json" "$model" --seed 1
"$cohort" generate "$model" --local 4 --prompt-ids 0,100,2000,30000,4,5,6,7 --max-tokens 16 --ignore-eos --report
