#!/usr/bin/env bash
# Runs the fuzz targets one after the other, from the corpus that is kept here, and tells what each found.
#
#   tests/fuzz/run.sh              every target for a minute
#   tests/fuzz/run.sh 600          … for ten minutes
#   tests/fuzz/run.sh 600 link     only these targets
#
# New inputs go to the target directory; a crash is kept there, too. `--minimise` instead of the seconds puts those of
# them that reach the most code into the corpus, beside the files that have a name. Needs cargo-fuzz (`cargo install cargo-fuzz`); stable Rust will do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-60}
shift || true
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
    for file in targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
# As many inputs as are kept for each target, at most.
most=30
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../../target/fuzz}
found=$CARGO_TARGET_DIR/found
# The code under test is safe Rust, so no sanitizer: that would need a nightly compiler and halve the speed.
build=(--fuzz-dir . --sanitizer none)
cargo fuzz build "${build[@]}"

failed=()
for target in "${targets[@]}"; do
    mkdir -p "$found/$target" "$found/crashes"
    if [ "$seconds" = --minimise ]; then
        fewest=$(mktemp -d)
        find "corpus/$target" -type f ! -regex '.*/[0-9a-f]*' -exec cp -t "$fewest" {} +
        cargo fuzz run "${build[@]}" "$target" "$fewest" "corpus/$target" "$found/$target" -- -set_cover_merge=1 -use_counters=0 2>&1 | tail -n 1
        # They come in the order of how much each adds.
        find "$fewest" -type f -regex '.*/[0-9a-f]*' -printf '%T@ %p\n' | sort -n | tail -n "+$((most + 1))" | cut -d ' ' -f 2 | xargs -r rm
        rm -rf "corpus/$target"
        mv "$fewest" "corpus/$target"
        chmod 755 "corpus/$target"
        continue
    fi
    options=(-max_total_time="$seconds" -timeout=20 -print_final_stats=1 -artifact_prefix="$found/crashes/$target-")
    if [ -e "dictionaries/$target" ]; then options+=(-dict="dictionaries/$target"); fi
    # Whatever stands in a repository is a seed for those that read it.
    seeds=("corpus/$target")
    case $target in scan | apply) seeds+=(../fixtures/manifest) ;; esac
    printf '=== %s\n' "$target"
    if ! cargo fuzz run "${build[@]}" "$target" "$found/$target" "${seeds[@]}" -- "${options[@]}" >"$found/$target.log" 2>&1; then
        failed+=("$target")
    fi
    grep -E 'INITED|DONE|panicked|Test unit written|number_of_executed_units' "$found/$target.log" || true
done
if [ "${#failed[@]}" -gt 0 ]; then
    printf 'failed: %s; the inputs are in %s\n' "${failed[*]}" "$found/crashes"
    exit 1
fi
