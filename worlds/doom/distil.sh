#!/usr/bin/env bash
# Goes on from a checkpoint, as the one before the shipped one was made: a teacher learns on, and what it draws in many steps is distilled into one to three.
#   SEED=97000 TEACHER_MINUTES=5 STUDENT_MINUTES=15 bash worlds/doom/distil.sh [key=value ...]        settings of engine.train come last
# FROM and TEACHER_FROM are the checkpoints that the student and the teacher begin as. Minutes are without compilation.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
from="${FROM:-checkpoints/doom}"
out="${OUT:-runs/distil}"
export FOOTAGE="${FOOTAGE:-footage}" EPISODES="${EPISODES:-160}" HELD_OUT="${HELD_OUT:-16}"
# Players that stand at walls, and such that come back by another door, beside those that walk ways (worlds/doom/README.md).
export RECORD="seed_start=${SEED:-97000} tours.stray=0.3 tours.loop=0.3"

INIT="${TEACHER_FROM:-$from}" OUT="$out/teacher" STAGES="latents generator" bash worlds/doom/make.sh \
    generator.schedule.minutes="${TEACHER_MINUTES:-5}" generator.schedule.rate=6.0e-4 generator.schedule.matrix_rate=1.2e-3 \
    generator.pure=0.3 generator.own_frames=0.3 generator.own_from=0 generator.own_steps=3 generator.motion=1.0 generator.rebuild=1.0 "$@"
INIT="$from" OUT="$out/student" STAGES="stream ship" bash worlds/doom/make.sh \
    stream.schedule.minutes="${STUDENT_MINUTES:-15}" teacher="$out/teacher" latents="$out/teacher/latents" "$@"
