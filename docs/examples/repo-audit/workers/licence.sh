#!/bin/sh
# licence.sh REPO: under which licences the repository says it is.
#
# {"licence": {
#   "file_count"  tracked paths named like a licence, at any depth: LICENSE, LICENCE, UNLICENSE or COPYING, alone or with
#                 something like -MIT, .md or .txt behind it (any case), and all in a top folder LICENSES/
#   "files"       the first 50: [{path, spdx}]; spdx lists the licences whose text is in the file, by their telling
#                 sentences: a guess. Empty: none was recognised, or it is no readable file. A text of the GNU licences
#                 does not say "only" or "or later", so it is named GPL-3.0, not GPL-3.0-only.
#   "spdx"        all that were found, each once
#   "declared"    licence fields of Cargo.toml, package.json and pyproject.toml, the first 50: [{path, field, value}]
#   "declared_count"  how many there are
# }}
. "$(dirname -- "$0")/../lib/common.sh"
open_repo "${1:-.}"

# Lines: MODE OBJECT STAGE<TAB>PATH
repo_git ls-files --stage >"$scratch/index"
awk -F "$tab" "$awk_lib"'
$2 == last { next }
{
    last = $2
    path = unquote($2)
    name = path
    sub(/^([^\/]*\/)*/, "", name)
    regular = $0 ~ /^100/ # a symbolic link is not followed: it may lead out of the repository
    if (is_licence(path, tolower(name))) {
        found++
        ids = regular ? guess("./" path) : ""
        note(ids)
        if (found <= 50) files = files comma(found) "{\"path\":" json_string(path) ",\"spdx\":[" quoted(ids) "]}"
    }
    if (!regular) next
    if (name == "Cargo.toml") toml_fields(path, "package|workspace package")
    else if (name == "pyproject.toml") toml_fields(path, "project|tool poetry")
    else if (name == "package.json") json_fields(path)
}
END {
    printf "{\"licence\":{\"file_count\":%s,\"files\":[%s],\"spdx\":[%s]", json_number(found), files, quoted(all)
    printf ",\"declared_count\":%s,\"declared\":[%s]}}\n", json_number(declared), fields
}

function is_licence(path, name,    rest, part, n) {
    if (path ~ /^LICENSES\/[^\/]+$/) return 1
    if (!match(name, /^((un)?licen[cs]e|copying)/)) return 0
    rest = substr(name, RLENGTH + 1)
    if (rest == "" || rest ~ /^[-_][^.]*$/) return 1
    if (rest !~ /^[-_.]/) return 0
    n = split(rest, part, ".") # what is behind the last dot must not be that of a program: license.rs, license-check.js
    return part[n] ~ /^(txt|md|markdown|rst|adoc|html|[0-9]+|mit|isc|bsd|apache2?|[al]?gpl|mpl|cc0|lesser|unlicense)([-_v0-9].*)?$/
}

# Returns the ids of the licences whose text is in a file, parted by spaces. Looks at its first 200,000 characters, as
# lower-case words.
function guess(path,    text, line, ids) {
    text = " "
    while (length(text) < 200000 && (getline line < path) > 0) text = text substr(line, 1, 200000) " "
    close(path)
    text = tolower(text)
    gsub(/[^a-z0-9]+/, " ", text)
    ids = ""
    if (has(text, "permission is hereby granted free of charge to any person obtaining a copy of this software"))
        ids = ids (has(text, "this permission notice shall be included in all") ? " MIT" : " MIT-0")
    if (has(text, "apache license version 2 0 january 2004") || has(text, "licensed under the apache license version 2 0"))
        ids = ids " Apache-2.0"
    if (has(text, "redistribution and use in source and binary forms with or without modification are permitted")) {
        if (has(text, "all advertising materials mentioning features or use of this software")) ids = ids " BSD-4-Clause"
        else if (has(text, "endorse or promote products derived from this software")) ids = ids " BSD-3-Clause"
        else ids = ids " BSD-2-Clause"
    }
    if (has(text, "gnu general public license version 2 june 1991")) ids = ids " GPL-2.0"
    if (has(text, "gnu general public license version 3 29 june 2007")) ids = ids " GPL-3.0"
    if (has(text, "gnu lesser general public license version 2 1 february 1999")) ids = ids " LGPL-2.1"
    if (has(text, "gnu lesser general public license version 3 29 june 2007")) ids = ids " LGPL-3.0"
    if (has(text, "gnu affero general public license version 3 19 november 2007")) ids = ids " AGPL-3.0"
    if (has(text, "mozilla public license version 2 0")) ids = ids " MPL-2.0"
    if (text ~ /permission to use copy modify and( or)? distribute this software for any purpose with or without fee is hereby granted/)
        ids = ids (has(text, "is hereby granted provided that the above copyright notice") ? " ISC" : " 0BSD")
    if (has(text, "this is free and unencumbered software released into the public domain")) ids = ids " Unlicense"
    if (has(text, "cc0 1 0 universal")) ids = ids " CC0-1.0"
    return ids
}

function has(text, words) { return index(text, " " words) > 0 }

# Adds ids to those of all files.
function note(ids,    n, i, id) {
    n = split(ids, id, " ")
    for (i = 1; i <= n; i++) if (index(all " ", " " id[i] " ") == 0) all = all " " id[i]
}

function quoted(ids,    n, i, id, out) {
    n = split(ids, id, " ")
    out = ""
    for (i = 1; i <= n; i++) out = out comma(i) json_string(id[i])
    return out
}

# Declares the licence keys of the named tables: license, license-file, license.text and the like.
function toml_fields(path, tables,    i, field) {
    toml_read("./" path)
    for (i = 1; i <= TOML_COUNT; i++) {
        field = TOML_PATH[i]
        gsub(/\t/, " ", field)
        if (TOML_TEXT[i] == "" || field !~ "^(" tables ") license(-files?)?( |$)") continue
        gsub(/ /, ".", field)
        # A string without its quotes, {text = "X"} as the member text; anything else as it is written.
        if (TOML_STRINGS[i] == 1 && match(TOML_TEXT[i], /^\{[ \t]*(text|file)/)) field = field "." substr(TOML_TEXT[i], RLENGTH - 3, 4)
        else if (TOML_STRINGS[i] != 1 || TOML_TEXT[i] !~ /^["\047]/) TOML_STRING[i, 1] = TOML_TEXT[i]
        declare(path, field, TOML_STRING[i, 1])
    }
}

function json_fields(path,    i, field) {
    if (!json_read("./" path)) return
    if (JSON_KIND["license"] == "string") declare(path, "license", JSON_VALUE["license"])
    if (JSON_KIND["license.type"] == "string") declare(path, "license.type", JSON_VALUE["license.type"])
    for (i = 0; ("licenses." i) in JSON_KIND; i++) {
        field = "licenses." i ".type"
        if (JSON_KIND[field] == "string") declare(path, field, JSON_VALUE[field])
    }
}

function declare(path, field, value) {
    if (++declared > 50) return
    fields = fields comma(declared) "{\"path\":" json_string(path) ",\"field\":" json_string(field)
    fields = fields ",\"value\":" json_string(cut(value, 200)) "}"
}
' "$scratch/index"
