#!/bin/sh
# ownership.sh: on how few people the code rests, from the results of authors and churn on standard input.
#
# {"ownership": {
#   "bus_factor"         the smallest number of authors who together made at least half of all commits; null without
#                        commits, or if it is greater than the number of authors listed (20)
#   "main_author_share"  commits of the most active author / all commits; null without commits
#   "single_author"      of churn's most changed files, those that only one author ever changed
#   "of"                 how many most changed files there are (at most 20)
#   "files"              the single-author files, most commits first: [{path, author, commits}]
# }}
. "$(dirname -- "$0")/../lib/common.sh"

awk "$awk_lib"'
BEGIN {
    if (!read_parts()) { print "ownership: standard input is no JSON: " JSON_ERROR >"/dev/stderr"; exit 65 }
    if (!("authors" in PART) || !("churn" in PART)) { print "ownership: needs the results of authors and churn" >"/dev/stderr"; exit 65 }
    commits = number("authors", "commits")
    sum = 0; factor = "null"; share = "null"
    for (i = 0; commits && (n = get("authors", "top." i ".commits")) != ""; i++) {
        sum += n
        if (i == 0) share = sprintf("%.4f", n / commits)
        if (2 * sum >= commits) { factor = i + 1; break }
    }
    single = 0
    for (i = 0; (path = get("churn", "most_changed." i ".path")) != ""; i++) {
        if (number("churn", "most_changed." i ".authors") != 1) continue
        single++
        list = list comma(single) "{\"path\":" json_string(path)
        list = list ",\"author\":" json_string(get("churn", "most_changed." i ".main_author"))
        list = list ",\"commits\":" json_number(get("churn", "most_changed." i ".commits")) "}"
    }
    printf "{\"ownership\":{\"bus_factor\":%s,\"main_author_share\":%s", factor, share
    printf ",\"single_author\":%s,\"of\":%s,\"files\":[%s]}}\n", json_number(single), json_number(i), list
}'
