#!/bin/sh
# summary.sh REPO: the audit as a page of plain text, from the results on standard input. REPO is only named.
#
# {"summary": "TEXT"}: one line or two for each part. A part without a result is named as absent, with the reason; nothing
# stands in for it. A part that this script does not know is shown with its plain members.
. "$(dirname -- "$0")/../lib/common.sh"
REPO=${1:-.}
export REPO

awk "$awk_lib"'
BEGIN {
    if (!read_parts()) { print "summary: standard input is no JSON: " JSON_ERROR >"/dev/stderr"; exit 65 }
    n = split("inventory sizes large_files churn hotspots authors ownership marks licence dependencies", known, " ")
    split("Files|Sizes|Large files|Churn|Hotspots|Authors|Ownership|Marks|Licence|Dependencies", title, "|")
    out = "Audit of " shown(ENVIRON["REPO"])
    for (i = 1; i <= n; i++) {
        is_known[known[i]]
        if (!(known[i] in PART)) { absent = absent (absent == "" ? "" : ", ") known[i]; row(title[i], absence(known[i])) }
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
    for (i = 1; i <= PART_COUNT; i++) if (!(PARTS[i] in is_known)) row(shown(PARTS[i]), plain_members(PARTS[i]))
    for (id in ABSENT) if (!(id in is_known)) row(shown(id), absence(id))
    if (absent != "") row("Not audited", absent)
    printf "{\"summary\":%s}\n", json_string(out)
}

function row(label, text) { out = out sprintf("\n%-13s %s", label, text) }

function inventory(    text, i, extension) {
    if (get("inventory", "head") == "") text = "no commit yet"
    else {
        text = get("inventory", "branch") == "" ? " (detached), " : " on " shown(get("inventory", "branch")) ", "
        text = substr(get("inventory", "head"), 1, 12) text count_of(get("inventory", "commits"), "commit")
        if (get("inventory", "shallow") == "true") text = text " (shallow: the older ones are missing)"
    }
    row("Head", text)
    text = count_of(get("inventory", "files"), "tracked file") " in " count_of(get("inventory", "directories"), "directory", "directories")
    for (i = 0; i < 5 && get("inventory", "by_extension." i ".files") != ""; i++) {
        extension = get("inventory", "by_extension." i ".extension")
        text = text (i ? ", " : "; ") (extension == "" ? "none" : "." shown(cut(extension, 20))) " " thousands(get("inventory", "by_extension." i ".files"))
    }
    row("Files", text)
}

function sizes(    text) {
    text = human(get("sizes", "bytes")) " in " count_of(get("sizes", "files"), "file") "; "
    row("Sizes", text count_of(get("sizes", "lines"), "line") " in " count_of(get("sizes", "text_files"), "text file"))
    if (number("sizes", "missing") > 0) row("", count_of(get("sizes", "missing"), "path is", "paths are") " not in the work tree")
    text = paths("sizes", "largest", 3, "bytes")
    if (text != "") row("", "largest: " text)
}

function large_files(    text) {
    text = count_of(get("large_files", "count"), "file") " above " human(get("large_files", "threshold_bytes"))
    row("Large files", text (number("large_files", "count") > 0 ? ", " human(get("large_files", "bytes")) " together" : ""))
}

function churn(    text) {
    text = "+" thousands(get("churn", "lines_added")) " -" thousands(get("churn", "lines_deleted")) " lines in "
    row("Churn", text count_of(get("churn", "commits"), "commit") ", " count_of(get("churn", "files"), "path") " changed")
    text = paths("churn", "most_changed", 3, "commits")
    if (text != "") row("", "most often: " text)
}

function hotspots(    text) {
    text = paths("hotspots", "files", 3, "")
    row("Hotspots", text == "" ? "none" : count_of(get("hotspots", "count"), "file") " long and often changed: " text)
}

function authors(    text) {
    text = count_of(get("authors", "count"), "author")
    if (get("authors", "first_commit") != "") {
        text = text ", commits from " substr(get("authors", "first_commit"), 1, 10) " to " substr(get("authors", "last_commit"), 1, 10)
        text = text "; most: " shown(get("authors", "top.0.name")) " (" thousands(get("authors", "top.0.commits")) ")"
    }
    row("Authors", text)
}

function ownership(    text) {
    text = "bus factor " bus_factor()
    if (get("ownership", "main_author_share") != "")
        text = text sprintf("; the most active author made %.1f %% of the commits", 100 * number("ownership", "main_author_share"))
    row("Ownership", text)
    text = thousands(get("ownership", "single_author")) " of the " thousands(get("ownership", "of"))
    if (number("ownership", "of") > 0) row("", text " most changed files have a single author")
}

function marks(    text, n, i, name) {
    n = JSON_VALUE[PART["marks"] ".counts"]
    for (i = 0; i < n; i++) {
        name = JSON_NAME[PART["marks"] ".counts", i]
        text = text (i ? ", " : "") name " " thousands(get("marks", "counts." name))
    }
    row("Marks", text (number("marks", "total") > 0 ? "; in " count_of(get("marks", "files"), "file") : ""))
}

function licence(    text, i, value, seen) {
    text = words("licence", "spdx")
    text = count_of(get("licence", "file_count"), "licence file") (text == "" ? "" : " (by their text: " text ")") "; declared: "
    split("", seen)
    for (i = 0; (value = get("licence", "declared." i ".value")) != ""; i++) {
        if (value in seen || get("licence", "declared." i ".field") ~ /workspace$/) continue
        seen[value]
        text = text (text ~ /: $/ ? "" : ", ") shown(cut(value, 60))
    }
    row("Licence", text (text ~ /: $/ ? "nothing" : ""))
}

function dependencies(    text) {
    text = count_of(get("dependencies", "manifest_count"), "manifest")
    if (number("dependencies", "manifest_count") > 0) {
        if (number("dependencies", "manifest_count") > number("dependencies", "uncounted"))
            text = text ", " count_of(get("dependencies", "direct_total"), "direct dependency", "direct dependencies")
        if (number("dependencies", "uncounted") > 0) text = text ", " thousands(get("dependencies", "uncounted")) " not counted"
    }
    row("Dependencies", text ", " count_of(get("dependencies", "lock_file_count"), "lock file"))
}

# The first paths of a list, each with one of its figures.
function paths(part, list, most, measure,    i, path, value, text) {
    text = ""
    for (i = 0; i < most && (path = get(part, list "." i ".path")) != ""; i++) {
        value = measure == "" ? "" : get(part, list "." i "." measure)
        text = text (i ? ", " : "") short(path) (value == "" ? "" : " (" (measure == "bytes" ? human(value) : thousands(value)) ")")
    }
    return text
}

# A path for a line that holds several: of a long one, the end.
function short(path,    i) {
    if (length(path) <= 40) return shown(path)
    for (i = length(path) - 36; is_between(substr(path, i, 1), 128, 191); i++);
    return "..." shown(substr(path, i))
}

function words(part, list,    i, word, text) {
    text = ""
    for (i = 0; (word = get(part, list "." i)) != ""; i++) text = text (i ? ", " : "") shown(word)
    return text
}
'
