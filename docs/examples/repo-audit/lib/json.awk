# A JSON reader: flattens one document into arrays. POSIX awk.
#
# json_read("") reads standard input, json_read(FILE) a file; 1 if it is JSON, else 0 with JSON_ERROR set. Then, for a
# path such as "sibling_results.0.output.churn.files" (a dot or backslash inside a name is written \. or \\):
#   JSON_KIND[path]   string, number, boolean, null, object or array; no entry: no such value
#   JSON_VALUE[path]  a string's text (U+0000 as U+FFFD), a number or literal as written, a container's size
#   JSON_NAME[path SUBSEP i]  the name of an object's member i, counted from 0
#
# Records end at a quote, so pieces outside and inside of strings take turns, and no loop walks a long text by character.

function json_read(file,    piece, old) {
    split("", JSON_KIND); split("", JSON_VALUE); split("", JSON_NAME)
    JSON_ERROR = ""; JSON_DEPTH = 0; JSON_WANT = "value"; JSON_IN_STRING = 0; JSON_TEXT = ""
    old = RS; RS = "\""
    if (file == "") while ((getline piece) > 0) json_piece(piece)
    else {
        while ((getline piece < file) > 0) json_piece(piece)
        close(file)
    }
    RS = old
    if (JSON_ERROR == "" && JSON_WANT != "end") JSON_ERROR = "the document ends too early"
    return JSON_ERROR == ""
}

function json_piece(piece,    slashes) {
    if (!JSON_IN_STRING) {
        json_structure(piece)
        JSON_IN_STRING = 1
        return
    }
    JSON_TEXT = JSON_TEXT piece
    slashes = match(piece, /\\+$/) ? RLENGTH : 0
    if (slashes % 2) { JSON_TEXT = JSON_TEXT "\""; return } # the quote was escaped: the string goes on
    if (JSON_WANT ~ /^key/) { JSON_KEY = json_unescape(JSON_TEXT); JSON_WANT = ":" }
    else json_value("string", json_unescape(JSON_TEXT))
    JSON_TEXT = ""
    JSON_IN_STRING = 0
}

function json_structure(piece,    i, c, word) {
    word = ""
    for (i = 1; i <= length(piece) + 1; i++) {
        c = substr(piece, i, 1)
        if (c ~ /[-+.0-9A-Za-z]/) { word = word c; continue }
        if (word != "") { json_word(word); word = "" }
        if (c == "" || c ~ /[ \t\r\n]/) continue
        if (c == "{") json_open("object", "key or }")
        else if (c == "[") json_open("array", "value or ]")
        else if (c == "}" && JSON_WANT ~ /^(,|key or })$/ && JSON_TYPE[JSON_DEPTH] == "object") json_close()
        else if (c == "]" && JSON_WANT ~ /^(,|value or ])$/ && JSON_TYPE[JSON_DEPTH] == "array") json_close()
        else if (c == "," && JSON_WANT == ",") JSON_WANT = JSON_TYPE[JSON_DEPTH] == "object" ? "key" : "value"
        else if (c == ":" && JSON_WANT == ":") JSON_WANT = "value"
        else json_wrong(c)
    }
}

function json_word(word) {
    if (word == "true" || word == "false") json_value("boolean", word)
    else if (word == "null") json_value("null", word)
    else if (word ~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/) json_value("number", word)
    else json_wrong(word)
}

function json_open(type, want,    path) {
    path = json_value(type, 0)
    JSON_DEPTH++
    JSON_PATH[JSON_DEPTH] = path; JSON_TYPE[JSON_DEPTH] = type; JSON_WANT = want
}

function json_close() {
    JSON_DEPTH--
    JSON_WANT = JSON_DEPTH ? "," : "end"
}

# Stores a value where the reader stands; returns its path.
function json_value(kind, text,    parent, n, name, path) {
    if (JSON_WANT !~ /^value/) { json_wrong(text); return "" }
    path = ""
    if (JSON_DEPTH) {
        parent = JSON_PATH[JSON_DEPTH]
        n = JSON_VALUE[parent]++
        name = n
        if (JSON_TYPE[JSON_DEPTH] == "object") {
            name = JSON_KEY
            JSON_NAME[parent, n] = name
            gsub(/[\\.]/, "\\\\&", name)
        }
        path = parent == "" ? name : parent "." name
    }
    JSON_KIND[path] = kind; JSON_VALUE[path] = text
    JSON_WANT = JSON_DEPTH ? "," : "end"
    return path
}

function json_wrong(what) {
    if (JSON_ERROR == "") JSON_ERROR = "unexpected " what " where " JSON_WANT " should be"
}

function json_unescape(s,    out, i, c, code, low) {
    out = ""
    while ((i = index(s, "\\")) > 0) {
        out = out substr(s, 1, i - 1)
        c = substr(s, i + 1, 1)
        if (c == "u") {
            code = json_hex(substr(s, i + 2, 4))
            s = substr(s, i + 6)
            if (code >= 55296 && code < 56320 && substr(s, 1, 2) == "\\u") {
                low = json_hex(substr(s, 3, 4))
                if (low >= 56320 && low < 57344) {
                    code = 65536 + (code - 55296) * 1024 + low - 56320
                    s = substr(s, 7)
                }
            }
            out = out utf8(code)
            continue
        }
        s = substr(s, i + 2)
        if (c == "n") c = "\n"
        else if (c == "t") c = "\t"
        else if (c == "r") c = "\r"
        else if (c == "b") c = "\b"
        else if (c == "f") c = "\f"
        else if (c !~ /["\\\/]/) json_wrong("\\" c)
        out = out c
    }
    return out s
}

function json_hex(s,    i, n) {
    if (s !~ /^[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]$/) json_wrong("\\u" s)
    n = 0
    for (i = 1; i <= 4; i++) n = n * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
    return n
}
