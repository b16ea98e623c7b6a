#!/bin/sh
# marks.sh rg|git REPO: unfinished marks in the tracked text files of the work tree.
#
# The first argument says who looks for the files that hold a mark: ripgrep, which is fast but often missing (then the
# worker ends with 69, and orch takes the other one), or git. What is in the files is counted by the same program, so both
# give the same figures. What is text, git decides, by the first 8,000 bytes: in a file with a NUL further on, the awks of
# busybox and BSD may count otherwise than git grep.
#
# {"marks": {
#   "total"   sum of "counts"
#   "counts"  for each mark, the lines that hold it as a whole word, in capitals: lines of `git grep -I -w -F MARK`
#   "files"   files with at least one
#   "places"  the first 50, by path and line: [{path, line, mark, text}]; text is the line, trimmed, at most 120 bytes;
#             a line with two different marks is two places
# }}
. "$(dirname -- "$0")/../lib/common.sh"
finder=${1:-git}
if [ "$finder" = rg ]; then
    command -v rg >/dev/null 2>&1 || fail "$unavailable" "rg (ripgrep) is not installed"
fi
open_repo "${2:-.}"

marks='TODO FIXME XXX HACK'
set --
for mark in $marks; do set -- "$@" -e "$mark"; done

# Into found0, in git's order: the files with a mark anywhere, even inside a word.
case $finder in
    rg)
        git_grep -l -z -e '' >"$scratch/text0"
        # rg ends with 1 when it finds nothing, with 2 when it fails. One thread keeps the order.
        # shellcheck disable=SC2016
        with_paths "$scratch/text0" sh -c '
            rg --no-config --threads 1 --text --encoding none --fixed-strings --files-with-matches --null "$@" || [ $? -eq 1 ]
        ' sh "$@" -- >"$scratch/found0" || fail "$unavailable" "rg does not work here"
        ;;
    git) git_grep -l -z "$@" >"$scratch/found0" ;;
    *) fail "$invalid_input" "no such finder: $finder" ;;
esac

# Some files at a time: KEY<TAB>VALUE lines, where a key is a mark, "files" or "place".
with_paths "$scratch/found0" awk -v marks="$marks" "$awk_lib"'
BEGIN { n = split(marks, mark, " ") }
FNR == 1 { hit = 0; path = FILENAME; sub(/^\.\//, "", path) }
{
    for (i = 1; i <= n; i++) {
        if (!index($0, mark[i]) || $0 !~ "(^|[^A-Za-z0-9_])" mark[i] "([^A-Za-z0-9_]|$)") continue
        count[mark[i]]++
        if (!hit) { hit = 1; files++ }
        if (++places > 50) continue
        text = $0
        gsub(/^[ \t]+|[ \t\r]+$/, "", text)
        printf "place\t{\"path\":%s,\"line\":%s", json_string(path), json_number(FNR)
        printf ",\"mark\":\"%s\",\"text\":%s}\n", mark[i], json_string(cut(text, 120))
    }
}
END {
    print "files\t" json_number(files)
    for (i = 1; i <= n; i++) print mark[i] "\t" json_number(count[mark[i]])
}' >"$scratch/found" || fail "$try_again" "files went away while they were read"

awk -F "$tab" -v marks="$marks" "$awk_lib"'
$1 == "place" { if (++places <= 50) list = list (list == "" ? "" : ",") $2; next }
{ sum[$1] += $2 }
END {
    n = split(marks, mark, " ")
    for (i = 1; i <= n; i++) {
        total += sum[mark[i]]
        counts = counts comma(i) "\"" mark[i] "\":" json_number(sum[mark[i]])
    }
    printf "{\"marks\":{\"total\":%s,\"counts\":{%s}", json_number(total), counts
    printf ",\"files\":%s,\"places\":[%s]}}\n", json_number(sum["files"]), list
}' "$scratch/found"
