#!/usr/bin/env bash
# usage: tools/lint.sh BUILD_DIR [FILE ...]
#
# Runs clang-tidy, and looks for co_await expressions that GCC 12 miscompiles
# (docs/decisions/0006-coroutine-rules.md). Lints the named sources, or every
# one that BUILD_DIR compiles. Exit status 1 if anything was found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
shift

# GCC's flags as Clang understands them, and what Asio 1.22 needs for Clang.
readonly clang_arguments=(-Wno-unknown-warning-option -DASIO_HAS_CO_AWAIT=1 -DASIO_HAS_STD_COROUTINE=1)
extra=()
for argument in "${clang_arguments[@]}"; do extra+=("--extra-arg=$argument"); done

if [[ $# -gt 0 ]]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files -- '*.cc' | grep -Ev '^tests/(codegen/(golden|consumer)|fuzz)/|^bench/' | grep -v 'mqtt/src/asio.cc')
fi
echo "lint: ${#files[@]} files with clang-tidy-19"
failed=0
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 --quiet -p "$build" "${extra[@]}" 2> >(grep -v 'warnings\? generated' >&2) || failed=1

# An aggregate, a conditional or a capturing lambda that lives as a temporary in
# an expression with co_await is destroyed twice.
mapfile -t coroutines < <(grep -l co_await "${files[@]}" || true)
if [[ ${#coroutines[@]} -gt 0 ]]; then
  echo "lint: ${#coroutines[@]} files with co_await"
  record='hasType(hasUnqualifiedDesugaredType(recordType()))'
  queries=$(mktemp)
  trap 'rm -f "$queries"' EXIT
  for temporary in "initListExpr($record)" "conditionalOperator($record)" 'lambdaExpr(hasAnyCapture(lambdaCapture()))'; do
    echo "match exprWithCleanups(isExpansionInFileMatching(\"$PWD/\"), hasDescendant(coawaitExpr()), hasDescendant($temporary.bind(\"x\")))"
  done >"$queries"
  report=$(mktemp)
  printf '%s\0' "${coroutines[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-query-19 -p "$build" "${extra[@]}" -f "$queries" >"$report" 2>&1 || {
      cat "$report"
      echo "lint: clang-query-19 failed"
      exit 1
    }
  if grep -E ' error: ' "$report"; then exit 1; fi  # It reads on after a file that does not parse.
  found=$(grep -E 'note: "x" binds here' "$report" | sort -u || true)
  rm -f "$report"
  if [[ -n $found ]]; then
    echo "$found"
    echo "lint: name these temporaries before the co_await (docs/decisions/0006-coroutine-rules.md)"
    failed=1
  fi
fi
exit "$failed"
