#!/usr/bin/env bash
# usage: tools/fuzz.sh BIN_DIR SECONDS
#
# Runs every fuzz target in BIN_DIR for SECONDS each; stops at the first finding.
set -euo pipefail
bin=$1
seconds=$2
for target in "$bin"/*_fuzz; do
  echo "fuzz: $(basename "$target") for $seconds s"
  corpus=$(mktemp -d)
  "$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 "$corpus" 2>&1 | tail -8
  rm -rf "$corpus"
done
