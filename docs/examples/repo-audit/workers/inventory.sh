#!/bin/sh
# inventory.sh REPO: what git tracks.
#
# {"inventory": {
#   "files"            distinct paths in the index: `git ls-files | sort -u | wc -l`
#   "symlinks", "submodules"  how many of them are symbolic links (mode 120000), submodules (160000)
#   "directories"      distinct folders that hold a tracked path, at any depth, the top folder not counted
#   "extensions"       distinct extensions; a name's extension is what follows its last dot, case kept; a name with no
#                      dot, only a leading one, or nothing behind the last one has none (null)
#   "by_extension"     the 20 commonest: [{extension, files}]
#   "top_directories"  the 20 folders of the top level with most tracked paths beneath: [{path, files}]
#   "head", "branch"   commit of HEAD; branch it is on, null if detached; both null without a commit
#   "commits"          commits reachable from HEAD: `git rev-list --count HEAD`
#   "shallow"          whether the history is cut off, so that commits, churn and authors only count what is there
# }}
. "$(dirname -- "$0")/../lib/common.sh"
open_repo "${1:-.}"

HEAD_COMMIT='' BRANCH='' COMMITS=0
if has_commits; then
    HEAD_COMMIT=$(repo_git rev-parse HEAD)
    BRANCH=$(repo_git symbolic-ref --quiet HEAD || :)
    BRANCH=${BRANCH#refs/heads/}
    COMMITS=$(repo_git rev-list --count HEAD --)
fi
SHALLOW=false
[ -f "$(repo_git rev-parse --git-path shallow)" ] && SHALLOW=true
export HEAD_COMMIT BRANCH COMMITS SHALLOW

# Lines: MODE OBJECT STAGE<TAB>PATH
repo_git ls-files --stage >"$scratch/index"
awk -F "$tab" "$awk_lib"'
$2 == last { next } # an unmerged path has several stages
{
    last = $2; files++
    if ($0 ~ /^120000/) symlinks++
    if ($0 ~ /^160000/) submodules++
    path = unquote($2)
    if ((i = index(path, "/")) > 0) in_top[substr(path, 1, i - 1)]++
    start = 0
    while ((i = index(substr(path, start + 1), "/")) > 0) {
        start += i
        folder = substr(path, 1, start - 1)
        if (!(folder in seen)) { seen[folder]; directories++ }
    }
    name = substr(path, start + 1)
    extension = ""
    if (match(name, /\.[^.]*$/) && RSTART > 1) extension = substr(name, RSTART + 1)
    if (!(extension in with)) extensions++
    with[extension]++
}
END {
    printf "{\"inventory\":{\"files\":%s,\"symlinks\":%s", json_number(files), json_number(symlinks)
    printf ",\"submodules\":%s", json_number(submodules)
    printf ",\"directories\":%s,\"extensions\":%s,\"by_extension\":[", json_number(directories), json_number(extensions)
    n = top(with, 20, best)
    for (i = 1; i <= n; i++) printf "%s{\"extension\":%s,\"files\":%s}", comma(i), or_null(best[i]), json_number(with[best[i]])
    printf "],\"top_directories\":["
    n = top(in_top, 20, best)
    for (i = 1; i <= n; i++) printf "%s{\"path\":%s,\"files\":%s}", comma(i), json_string(best[i]), json_number(in_top[best[i]])
    printf "],\"head\":%s,\"branch\":%s", or_null(ENVIRON["HEAD_COMMIT"]), or_null(ENVIRON["BRANCH"])
    printf ",\"commits\":%s,\"shallow\":%s}}\n", json_number(ENVIRON["COMMITS"]), ENVIRON["SHALLOW"]
}
function or_null(s) { return s == "" ? "null" : json_string(s) }
' "$scratch/index"
