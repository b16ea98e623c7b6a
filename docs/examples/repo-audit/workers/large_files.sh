#!/bin/sh
# large_files.sh REPO [BYTES]: tracked files above a threshold (default 1048576), in the work tree.
#
# {"large_files": {
#   "threshold_bytes"  the threshold; a file of exactly so many bytes is not above it
#   "count", "bytes"   regular tracked files above it, and the sum of their sizes
#   "files"            the 50 largest of them: [{path, bytes}]
# }}
. "$(dirname -- "$0")/../lib/common.sh"
threshold=${2:-1048576}
case $threshold in
    *[!0-9]*) fail "$invalid_input" "large_file_bytes must be a whole number, not $threshold" ;;
esac
open_repo "${1:-.}"

measure_files "$scratch/measured"
awk -F "$tab" -v threshold="$threshold" "$awk_lib"'
$1 == "file" && $2 + 0 > threshold + 0 { count++; total += $2; bytes[unquote($3)] = $2 + 0 }
END {
    printf "{\"large_files\":{\"threshold_bytes\":%s,\"count\":%s", json_number(threshold), json_number(count)
    printf ",\"bytes\":%s,\"files\":[", json_number(total)
    n = top(bytes, 50, best)
    for (i = 1; i <= n; i++) printf "%s{\"path\":%s,\"bytes\":%s}", comma(i), json_string(best[i]), json_number(bytes[best[i]])
    printf "]}}\n"
}' "$scratch/measured"
