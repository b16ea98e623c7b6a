#!/bin/sh
# authors.sh REPO: who made the commits reachable from HEAD.
#
# {"authors": {
#   "commits"     all of them, merges included: `git rev-list --count HEAD`
#   "count"       distinct authors; an author is name and email after .mailmap: `git shortlog -sne HEAD | wc -l`
#   "top"         the 20 with most commits: [{name, email, commits}]
#   "first_commit", "last_commit"  earliest and latest committer date, as `git log --format=%cI` writes it; null if none
# }}
. "$(dirname -- "$0")/../lib/common.sh"
open_repo "${1:-.}"

: >"$scratch/log"
if has_commits; then
    repo_git log --format='%ct %cI %aN <%aE>' HEAD -- >"$scratch/log"
fi

awk "$awk_lib"'
{
    commits++
    author = $0
    sub(/^[^ ]* [^ ]* /, "", author)
    if (!(author in by)) authors++
    by[author]++
    if (commits == 1 || $1 + 0 < first) { first = $1 + 0; first_date = $2 }
    if (commits == 1 || $1 + 0 > last) { last = $1 + 0; last_date = $2 }
}
END {
    printf "{\"authors\":{\"commits\":%s,\"count\":%s,\"top\":[", json_number(commits), json_number(authors)
    n = top(by, 20, best)
    for (i = 1; i <= n; i++) {
        match(best[i], / <[^<]*>$/)
        printf "%s{\"name\":%s", comma(i), json_string(substr(best[i], 1, RSTART - 1))
        printf ",\"email\":%s", json_string(substr(best[i], RSTART + 2, RLENGTH - 3))
        printf ",\"commits\":%s}", json_number(by[best[i]])
    }
    printf "],\"first_commit\":%s", (commits ? json_string(first_date) : "null")
    printf ",\"last_commit\":%s}}\n", (commits ? json_string(last_date) : "null")
}' "$scratch/log"
