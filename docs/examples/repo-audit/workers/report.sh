#!/bin/sh
# report.sh REPO FILE: the audit as Markdown, from the results on standard input, into FILE (default
# .orch/repo-audit.md, beneath the folder where orch was started). REPO is only named.
#
# {"report": {"path": FILE, "bytes": its size}}. FILE appears whole or not at all. A part without a result has its heading,
# and the reason for its absence.
. "$(dirname -- "$0")/../lib/common.sh"
REPO=${1:-.}
file=${2:-.orch/repo-audit.md}
case $file in
    /*) target=$file ;;
    *) target=./$file ;;
esac
[ ! -d "$target" ] || fail "$invalid_input" "the report cannot be written: $file is a folder"
mkdir -p -- "$(dirname -- "$target")" || fail "$invalid_input" "cannot make the folder of $file"
draft=$target.$$
trap 'rm -f -- "$draft"' EXIT
trap 'exit 143' HUP INT TERM
export REPO

awk "$awk_lib"'
BEGIN {
    if (!read_parts()) { print "report: standard input is no JSON: " JSON_ERROR >"/dev/stderr"; exit 65 }
    print "# Audit of " plain(ENVIRON["REPO"])
    n = split("inventory sizes large_files churn hotspots authors ownership marks licence dependencies", known, " ")
    split("Inventory|Sizes|Large files|Churn|Hotspots|Authors|Ownership|Unfinished marks|Licence|Dependencies", title, "|")
    for (i = 1; i <= n; i++) {
        is_known[known[i]]
        print "\n## " title[i] "\n"
        if (!(known[i] in PART)) print "Not audited: " plain(absence(known[i])) "."
        else if (known[i] == "inventory") inventory()
        else if (known[i] == "sizes") sizes()
        else if (known[i] == "large_files") large_files()
        else if (known[i] == "churn") churn()
        else if (known[i] == "hotspots") hotspots()
        else if (known[i] == "authors") authors()
        else if (known[i] == "ownership") ownership()
        else if (known[i] == "marks") marks()
        else if (known[i] == "licence") licence()
        else if (known[i] == "dependencies") dependencies()
    }
    for (i = 1; i <= PART_COUNT; i++)
        if (!(PARTS[i] in is_known)) print "\n## " plain(PARTS[i]) "\n\n" plain(plain_members(PARTS[i]))
    for (id in ABSENT)
        if (!(id in is_known)) print "\n## " plain(id) "\n\nNot audited: " plain(absence(id)) "."
}

function inventory(    shallow) {
    fact("Tracked files", thousands(get("inventory", "files")))
    fact("Symbolic links, submodules", thousands(get("inventory", "symlinks")) ", " thousands(get("inventory", "submodules")))
    fact("Directories", thousands(get("inventory", "directories")))
    fact("Extensions", thousands(get("inventory", "extensions")))
    fact("Head", get("inventory", "head") == "" ? "no commit" : code_span(get("inventory", "head")))
    fact("Branch", get("inventory", "branch") == "" ? "none" : code_span(get("inventory", "branch")))
    shallow = get("inventory", "shallow") == "true" ? " (shallow clone: the older ones are missing)" : ""
    fact("Commits", thousands(get("inventory", "commits")) shallow)
    table("inventory", "by_extension", "Extension:extension|Files:#files")
    table("inventory", "top_directories", "Top directory:path|Files:#files")
}

function sizes() {
    fact("Files measured", thousands(get("sizes", "files")) ", " thousands(get("sizes", "missing")) " missing")
    fact("Bytes", thousands(get("sizes", "bytes")) " (" human(get("sizes", "bytes")) ")")
    fact("Text files", thousands(get("sizes", "text_files")))
    fact("Lines", thousands(get("sizes", "lines")))
    table("sizes", "largest", "Largest files:path|Bytes:#bytes")
}

function large_files() {
    fact("Threshold", thousands(get("large_files", "threshold_bytes")) " bytes")
    fact("Files above it", thousands(get("large_files", "count")))
    fact("Their bytes", thousands(get("large_files", "bytes")))
    table("large_files", "files", "File:path|Bytes:#bytes")
}

function churn() {
    fact("Commits", thousands(get("churn", "commits")))
    fact("Paths ever changed", thousands(get("churn", "files")))
    fact("Lines added, deleted", thousands(get("churn", "lines_added")) ", " thousands(get("churn", "lines_deleted")))
    fact("Binary changes", thousands(get("churn", "binary_changes")))
    table("churn", "most_changed", "Most changed:path|Commits:#commits|Added:#lines_added|Deleted:#lines_deleted|Authors:#authors")
}

function hotspots() {
    print "Files both long and often changed: " thousands(get("hotspots", "count")) ". Score: commits times lines."
    table("hotspots", "files", "File:path|Commits:#commits|Lines:#lines|Score:#score")
}

function authors() {
    fact("Commits", thousands(get("authors", "commits")))
    fact("Authors", thousands(get("authors", "count")))
    fact("First commit", or_none(get("authors", "first_commit")))
    fact("Last commit", or_none(get("authors", "last_commit")))
    table("authors", "top", "Author:name|Address:email|Commits:#commits")
}

function ownership(    share) {
    fact("Bus factor", bus_factor())
    share = get("ownership", "main_author_share")
    fact("Share of the most active author", share == "" ? "unknown" : sprintf("%.1f %%", 100 * share))
    fact("Most changed files with a single author", thousands(get("ownership", "single_author")) " of " thousands(get("ownership", "of")))
    table("ownership", "files", "File:path|Only author:author|Commits:#commits")
}

function marks(    n, i, name) {
    n = JSON_VALUE[PART["marks"] ".counts"]
    for (i = 0; i < n; i++) {
        name = JSON_NAME[PART["marks"] ".counts", i]
        fact(name, thousands(get("marks", "counts." name)))
    }
    fact("Files with one", thousands(get("marks", "files")))
    table("marks", "places", "File:path|Line:#line|Mark:mark|Text:text")
    if (number("marks", "total") > 50) print "\n" thousands(get("marks", "total")) " in all; the first 50 are listed."
}

function licence() {
    if (number("licence", "file_count") == 0) print "No licence file."
    table("licence", "files", "Licence file:path|By its text:*spdx")
    table("licence", "declared", "Manifest:path|Field:field|Value:value")
}

function dependencies() {
    fact("Manifests", thousands(get("dependencies", "manifest_count")) ", " thousands(get("dependencies", "uncounted")) " of them not counted")
    fact("Direct dependencies", thousands(get("dependencies", "direct_total")))
    fact("Lock files", thousands(get("dependencies", "lock_file_count")))
    table("dependencies", "manifests", "Manifest:path|Kind:kind|Direct dependencies:#direct")
    table("dependencies", "lock_files", "Lock file:.")
}

function fact(name, value) { print "- " name ": " value }

function or_none(s) { return s == "" ? "none" : s }

# A table of a list of objects: TITLE:MEMBER columns; #MEMBER is a number, *MEMBER a list of words, . the entry itself.
function table(part, list, columns,    n, i, c, column, title, member, kind, line, rule, entry) {
    if (JSON_VALUE[PART[part] "." list] + 0 == 0) return
    n = split(columns, column, "|")
    line = rule = "|"
    for (c = 1; c <= n; c++) {
        split(column[c], title, ":")
        line = line " " title[1] " |"
        kind[c] = substr(title[2], 1, 1)
        member[c] = kind[c] ~ /[#*]/ ? substr(title[2], 2) : title[2]
        rule = rule (kind[c] == "#" ? " ---: |" : " --- |")
    }
    print "\n" line "\n" rule
    for (i = 0; (PART[part] "." list "." i) in JSON_KIND; i++) {
        line = "|"
        for (c = 1; c <= n; c++) {
            entry = list "." i (member[c] == "." ? "" : "." member[c])
            if (kind[c] == "*") line = line " " or_none(words(part, entry)) " |"
            else if (get(part, entry) == "") line = line " none |"
            else if (kind[c] == "#") line = line " " thousands(get(part, entry)) " |"
            else if (member[c] ~ /^(name|email|author|kind|mark|field)$/) line = line " " plain(get(part, entry)) " |"
            else line = line " " code_span(get(part, entry)) " |"
        }
        print line
    }
}

function words(part, list,    i, word, text) {
    text = ""
    for (i = 0; (word = get(part, list "." i)) != ""; i++) text = text (i ? ", " : "") plain(word)
    return text
}

# Text as it is, safe in Markdown and in a table.
function plain(s) {
    s = shown(s)
    gsub(/[][\\`*_{}<>|#~]/, "\\\\&", s)
    return s
}

# Text as a code span, safe in a table: fenced by more backticks than it holds in a row.
function code_span(s,    fence, rest) {
    s = shown(s)
    gsub(/[|]/, "\\\\&", s)
    fence = "`"
    for (rest = s; match(rest, /`+/); rest = substr(rest, RSTART + RLENGTH))
        while (length(fence) <= RLENGTH) fence = fence "`"
    return s ~ /^[ `]|[ `]$/ ? fence " " s " " fence : fence s fence
}
' >"$draft" || exit
mv -f -- "$draft" "$target"
trap - EXIT
FILE=$file BYTES=$(wc -c <"$target") awk "$awk_lib"'
BEGIN { printf "{\"report\":{\"path\":%s,\"bytes\":%s}}\n", json_string(ENVIRON["FILE"]), json_number(ENVIRON["BYTES"]) }'
