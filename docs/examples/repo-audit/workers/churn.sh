#!/bin/sh
# churn.sh REPO: which files change most, in the history of HEAD.
#
# Counts what `git log --raw --numstat HEAD` shows with git's default settings: a merge commit shows no changes, the first
# commit adds all its files, a rename counts for the new path and with the lines it changed.
#
# {"churn": {
#   "commits"                       commits looked at, merges included: `git rev-list --count HEAD`
#   "files"                         distinct paths ever changed, whether they still exist or not
#   "lines_added", "lines_deleted"  sums of the first two columns of --numstat; a binary file counts none
#   "binary_changes"                its lines with "-" instead of numbers
#   "most_changed"                  the 20 paths in most commits: [{path, commits, lines_added, lines_deleted, authors,
#                                   main_author, main_author_commits}]; an author is "Name <email>" after .mailmap, the
#                                   main one made most of the path's commits (equals: first in byte order)
# }}
. "$(dirname -- "$0")/../lib/common.sh"
open_repo "${1:-.}"

: >"$scratch/log"
if has_commits; then
    repo_git log --format='@%aN <%aE>' --raw --numstat -M --diff-algorithm=default --submodule=short \
        --no-ext-diff --no-textconv HEAD -- >"$scratch/log"
fi

# For each commit: @AUTHOR, then :MODES OBJECTS STATUS<TAB>PATH[<TAB>NEW PATH] for each change, then
# ADDED<TAB>DELETED<TAB>PATH for the same changes in the same order. Only the former spell a renamed path out.
awk -F "$tab" "$awk_lib"'
/^@/ { end_commit(); author = substr($0, 2); commits++; changes = numbered = 0; next }
/^:/ { path = unquote($NF); changed[++changes] = path; simple[changes] = NF == 2; next }
NF > 2 {
    numbered++
    path = changed[numbered]
    if (numbered > changes || (simple[numbered] && unquote($3) != path)) {
        print "churn: git log is not as expected: " $0 >"/dev/stderr"
        bad = 1
        exit 1
    }
    if ($1 == "-") binary++
    added += $1; deleted += $2
    added_to[path] += $1; deleted_from[path] += $2
}
# Counts the commit for each path that it changed.
function end_commit(    i, path, n) {
    for (i = 1; i <= changes; i++) {
        path = changed[i]
        if (!(path in touched)) files++
        touched[path]++
        n = ++by[path, author]
        if (n == 1) authors[path]++
        if (n > most[path] || (n == most[path] && author < main[path])) { most[path] = n; main[path] = author }
    }
}
END {
    if (bad) exit 1
    end_commit()
    printf "{\"churn\":{\"commits\":%s,\"files\":%s,\"lines_added\":%s", json_number(commits), json_number(files), json_number(added)
    printf ",\"lines_deleted\":%s,\"binary_changes\":%s,\"most_changed\":[", json_number(deleted), json_number(binary)
    n = top(touched, 20, best)
    for (i = 1; i <= n; i++) {
        path = best[i]
        printf "%s{\"path\":%s,\"commits\":%s", comma(i), json_string(path), json_number(touched[path])
        printf ",\"lines_added\":%s,\"lines_deleted\":%s", json_number(added_to[path]), json_number(deleted_from[path])
        printf ",\"authors\":%s,\"main_author\":%s", json_number(authors[path]), json_string(main[path])
        printf ",\"main_author_commits\":%s}", json_number(most[path])
    }
    printf "]}}\n"
}' "$scratch/log"
