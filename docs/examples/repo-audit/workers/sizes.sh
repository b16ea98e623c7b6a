#!/bin/sh
# sizes.sh REPO: how large the tracked files are, in the work tree.
#
# {"sizes": {
#   "files"       tracked paths that are regular files in the work tree; not symbolic links, not submodules
#   "missing"     tracked paths with nothing in the work tree (deleted, or left out by a sparse checkout)
#   "bytes"       sum of the sizes of "files", as stat gives them
#   "text_files"  those of "files" that git takes for text and that are not empty: `git grep -I -l "" | wc -l`
#   "lines"       lines of the text files, an unended last line included: sum of `git grep -I -c ""`
#   "largest"     the 10 largest: [{path, bytes}]
#   "longest"     the 50 text files with most lines: [{path, lines, bytes}]
# }}
. "$(dirname -- "$0")/../lib/common.sh"
open_repo "${1:-.}"

measure_files "$scratch/measured"
git_grep --count -e '' >"$scratch/lines"

awk -F "$tab" "$awk_lib"'
part == 1 && $1 == "missing" { missing++ }
part == 1 && $1 == "file" { files++; total += $2; bytes[unquote($3)] = $2 }
part == 2 && match($0, /:[0-9]+$/) { # PATH:LINES
    n = substr($0, RSTART + 1)
    text_files++; lines += n
    # Before version 2.27 git did not quote here. A name with a line break is then not recognised, so not listed.
    path = substr($0, 1, RSTART - 1)
    if (!(path in bytes)) path = unquote(path)
    if (path in bytes) lines_of[path] = n + 0
}
END {
    printf "{\"sizes\":{\"files\":%s,\"missing\":%s,\"bytes\":%s", json_number(files), json_number(missing), json_number(total)
    printf ",\"text_files\":%s,\"lines\":%s,\"largest\":[", json_number(text_files), json_number(lines)
    n = top(bytes, 10, best)
    for (i = 1; i <= n; i++) printf "%s{\"path\":%s,\"bytes\":%s}", comma(i), json_string(best[i]), json_number(bytes[best[i]])
    printf "],\"longest\":["
    n = top(lines_of, 50, best)
    for (i = 1; i <= n; i++) {
        printf "%s{\"path\":%s,\"lines\":%s", comma(i), json_string(best[i]), json_number(lines_of[best[i]])
        printf ",\"bytes\":%s}", json_number(bytes[best[i]])
    }
    printf "]}}\n"
}' part=1 "$scratch/measured" part=2 "$scratch/lines"
