#!/bin/sh
# hotspots.sh: files both large and often changed, from the results of churn and sizes on standard input.
#
# {"hotspots": {
#   "count"  files that are among churn's most changed (20) and among the longest text files of sizes (50)
#   "files"  all of them, greatest score first: [{path, commits, lines, score}]; score = commits * lines
# }}
. "$(dirname -- "$0")/../lib/common.sh"

awk "$awk_lib"'
BEGIN {
    if (!read_parts()) { print "hotspots: standard input is no JSON: " JSON_ERROR >"/dev/stderr"; exit 65 }
    if (!("churn" in PART) || !("sizes" in PART)) { print "hotspots: needs the results of churn and sizes" >"/dev/stderr"; exit 65 }
    for (i = 0; (path = get("sizes", "longest." i ".path")) != ""; i++) lines[path] = number("sizes", "longest." i ".lines")
    for (i = 0; (path = get("churn", "most_changed." i ".path")) != ""; i++) {
        if (!(path in lines)) continue
        commits[path] = number("churn", "most_changed." i ".commits")
        score[path] = commits[path] * lines[path]
    }
    n = top(score, 20, best)
    printf "{\"hotspots\":{\"count\":%s,\"files\":[", json_number(n)
    for (i = 1; i <= n; i++) {
        path = best[i]
        printf "%s{\"path\":%s,\"commits\":%s", comma(i), json_string(path), json_number(commits[path])
        printf ",\"lines\":%s,\"score\":%s}", json_number(lines[path]), json_number(score[path])
    }
    printf "]}}\n"
}'
