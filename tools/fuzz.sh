#!/usr/bin/env bash
# usage: tools/fuzz.sh BIN_DIR SECONDS
#
# Runs every fuzz target in BIN_DIR for SECONDS each; stops at the first finding.
set -euo pipefail
bin=$1
seconds=$2
corpora=$(mktemp -d)
trap 'rm -rf "$corpora"' EXIT
for target in "$bin"/*_fuzz; do
  name=$(basename "$target")
  echo "fuzz: $name for $seconds s"
  mkdir "$corpora/$name"
  # What breaks it is kept beside the program.
  "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$bin/$name-" "$corpora/$name" \
    >"$corpora/log" 2>&1 || { tail -40 "$corpora/log"; exit 1; }
  grep -E '^stat::number_of_executed_units|^Done' "$corpora/log"
done
