#!/usr/bin/env bash
# From nothing to a checkpoint that plays: footage of generated maps, then every stage of the training.
#   GPUS=2 EPISODES=1000 bash worlds/doom/make.sh [key=value ...]        settings of engine.train come last
#   INIT=checkpoints/doom STAGES="latents motion generator stream ship" ...     goes on from a checkpoint, its codec as it is
#   RECORD="seed_start=97000 tours.stray=0.3" ...       settings of the footage that is trained on
# Footage that is there already is kept, and a stage that was stopped goes on where it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="${OUT:-runs/doom}"
footage="${FOOTAGE:-footage}"
python="${PYTHON:-python3}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"

record() { "$python" -m engine.data.footage world=doom frames="${FRAMES:-600}" "$@"; }
record split=validate episodes="${HELD_OUT:-24}" out="$footage/validate"
# shellcheck disable=SC2086
record split=train episodes="${EPISODES:-1000}" out="$footage/train" ${RECORD:-}

launch=("$python")
if [ "${GPUS:-1}" -gt 1 ]; then
    launch=("$python" -m torch.distributed.run --standalone --nproc-per-node="$GPUS")
fi
first="${INIT:+init=$INIT}"
for stage in ${STAGES:-codec latents motion generator stream ship}; do
    "${launch[@]}" -m engine.train worlds/doom/train.yaml stage="$stage" footage="$footage/train" \
        validation="$footage/validate" out="$out" $first "$@"
    case "$stage" in latents | ship) ;; *) first="" ;; esac  # what was trained since lies in $out
done
