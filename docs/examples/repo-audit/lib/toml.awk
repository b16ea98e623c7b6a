# A TOML reader, as far as manifests need it. POSIX awk.
#
# toml_read(FILE) finds every key of the file, in order (1..TOML_COUNT), tables by their headers, dotted keys by their dots:
#   TOML_PATH[i]   the whole name, its segments parted by TAB: dependencies TAB serde TAB version
#   TOML_TEXT[i]   the value as written, without comments and line breaks; "" for a table's header
#   TOML_STRINGS[i], TOML_STRING[i, 1..]  the strings in the value, without quotes (their escapes stay as written)
# What is inside an inline table is only part of its text. Not a validator: it takes whatever it is given for TOML.

function toml_read(file,    line, old) {
    split("", TOML_PATH); split("", TOML_TEXT); split("", TOML_STRINGS); split("", TOML_STRING)
    TOML_COUNT = 0; TOML_TABLE = ""; TOML_NEST = 0; TOML_QUOTE = ""
    old = RS; RS = "\n"
    while ((getline line < file) > 0) toml_line(line)
    close(file)
    RS = old
}

function toml_line(line,    rest) {
    sub(/\r$/, "", line)
    if (!TOML_NEST && TOML_QUOTE == "") { # a new key or header
        sub(/^[ \t]+/, "", line)
        if (line == "" || line ~ /^#/) return
        if (line ~ /^\[/) {
            gsub(/^\[+/, "", line)
            TOML_TABLE = ""
            toml_name(line)
            TOML_TABLE = TOML_NAME "\t"
            toml_add(TOML_NAME)
            return
        }
        rest = toml_name(line)
        if (rest !~ /^=/) return
        toml_add(TOML_NAME)
        line = substr(rest, 2)
    }
    toml_value(line)
}

# Reads a dotted name into TOML_NAME, within the current table; returns what follows it.
function toml_name(s,    segment, quote, i) {
    TOML_NAME = TOML_TABLE
    for (;;) {
        sub(/^[ \t]+/, "", s)
        quote = substr(s, 1, 1)
        if (quote == "\"" || quote == "'") {
            s = substr(s, 2)
            i = toml_string_end(s, quote)
            if (i == 0) return ""
            segment = substr(s, 1, i - 1)
            s = substr(s, i + 1)
        } else {
            if (!match(s, /^[-A-Za-z0-9_]+/)) return s
            segment = substr(s, 1, RLENGTH)
            s = substr(s, RLENGTH + 1)
        }
        TOML_NAME = TOML_NAME segment
        sub(/^[ \t]+/, "", s)
        if (s !~ /^\./) return s
        s = substr(s, 2)
        TOML_NAME = TOML_NAME "\t"
    }
}

function toml_add(path) {
    TOML_COUNT++
    TOML_PATH[TOML_COUNT] = path; TOML_TEXT[TOML_COUNT] = ""; TOML_STRINGS[TOML_COUNT] = 0
}

# Takes one line of a value: follows strings, which may span lines, and brackets.
function toml_value(s,    c, i, n) {
    n = TOML_COUNT
    while (s != "") {
        if (TOML_QUOTE != "") { # inside a string: to its end, over escapes
            i = toml_string_end(s, TOML_QUOTE)
            if (i == 0) { TOML_HELD = TOML_HELD s "\n"; TOML_TEXT[n] = TOML_TEXT[n] s; return }
            TOML_STRING[n, ++TOML_STRINGS[n]] = TOML_HELD substr(s, 1, i - 1)
            i += length(TOML_QUOTE)
            TOML_TEXT[n] = TOML_TEXT[n] substr(s, 1, i - 1)
            s = substr(s, i)
            TOML_QUOTE = ""
            continue
        }
        c = substr(s, 1, 1)
        if (c == "#") break
        if (c == "\"" || c == "'") {
            TOML_QUOTE = substr(s, 1, 3) == c c c ? c c c : c
            TOML_HELD = ""
            TOML_TEXT[n] = TOML_TEXT[n] TOML_QUOTE
            s = substr(s, length(TOML_QUOTE) + 1)
            if (s == "") TOML_TEXT[n] = TOML_TEXT[n] " "
            continue
        }
        if (c == "[" || c == "{") TOML_NEST++
        if ((c == "]" || c == "}") && TOML_NEST) TOML_NEST--
        TOML_TEXT[n] = TOML_TEXT[n] c
        s = substr(s, 2)
    }
    if (length(TOML_QUOTE) == 1) TOML_QUOTE = "" # a string of one quote ends with its line, whatever is wrong with it
    gsub(/^[ \t]+|[ \t]+$/, "", TOML_TEXT[n])
}

# Returns where the closing quote of a string begins in s, 0 if not on this line.
function toml_string_end(s, quote,    i) {
    for (i = 1; i <= length(s); i++) {
        if (substr(s, i, length(quote)) == quote) return i
        if (substr(s, i, 1) == "\\" && quote ~ /^"/) i++
    }
    return 0
}
