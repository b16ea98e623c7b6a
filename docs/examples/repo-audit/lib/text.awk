# Bytes in, text out: git's quoted names, JSON strings, what a terminal may see, and rankings.
# POSIX awk, run with LC_ALL=C, so that a character is a byte.

BEGIN { for (TEXT_I = 0; TEXT_I < 256; TEXT_I++) TEXT_BYTE[sprintf("%c", TEXT_I)] = TEXT_I }

# Undoes git's quoting of a path: "a\tb\303\244" with its quotes becomes bytes, anything else is taken as it is.
function unquote(s,    out, i, c) {
    if (s !~ /^".*"$/) return s
    s = substr(s, 2, length(s) - 2)
    out = ""
    while ((i = index(s, "\\")) > 0) {
        out = out substr(s, 1, i - 1)
        c = substr(s, i + 1, 1)
        if (c ~ /[0-3]/) {
            out = out sprintf("%c", 64 * c + 8 * substr(s, i + 2, 1) + substr(s, i + 3, 1))
            s = substr(s, i + 4)
            continue
        }
        if (c == "a") c = "\007"
        else if (c == "b") c = "\b"
        else if (c == "t") c = "\t"
        else if (c == "n") c = "\n"
        else if (c == "v") c = "\013"
        else if (c == "f") c = "\f"
        else if (c == "r") c = "\r"
        out = out c
        s = substr(s, i + 2)
    }
    return out s
}

# Returns s as a JSON string. A byte that is not part of valid UTF-8 (and a NUL) becomes U+FFFD.
function json_string(s,    out, i, n, c, b) {
    if (s ~ /^[]-~ !#-[]*$/) return "\"" s "\""
    out = ""
    for (i = 1; i <= length(s); i += n) {
        c = substr(s, i, 1); b = TEXT_BYTE[c]; n = 1
        if (c == "\"" || c == "\\") out = out "\\" c
        else if (c == "\n") out = out "\\n"
        else if (c == "\t") out = out "\\t"
        else if (c == "\r") out = out "\\r"
        else if (b == 0) out = out "\\ufffd"
        else if (b < 32) out = out sprintf("\\u%04x", b)
        else if (b < 128) out = out c
        else if ((n = utf8_length(s, i)) > 0) out = out substr(s, i, n)
        else { out = out "\\ufffd"; n = 1 }
    }
    return "\"" out "\""
}

# Returns what stands before entry i of a JSON list, counted from 1.
function comma(i) { return i > 1 ? "," : "" }

# Returns a whole number as JSON: %d stops at 2^31 in some awks, print at six digits.
function json_number(n) { return sprintf("%.0f", n) }

# Returns how many bytes the character at byte i of s has, 0 if there is no valid UTF-8 (no overlong form, no surrogate).
function utf8_length(s, i,    b, n, low, high) {
    b = TEXT_BYTE[substr(s, i, 1)]; low = 128; high = 191
    if (b < 128) return 1
    if (b >= 194 && b <= 223) n = 2
    else if (b >= 224 && b <= 239) n = 3
    else if (b >= 240 && b <= 244) n = 4
    else return 0
    if (b == 224) low = 160
    else if (b == 237) high = 159
    else if (b == 240) low = 144
    else if (b == 244) high = 143
    if (i + n - 1 > length(s) || !is_between(substr(s, i + 1, 1), low, high)) return 0
    if (n > 2 && !is_between(substr(s, i + 2, 1), 128, 191)) return 0
    if (n > 3 && !is_between(substr(s, i + 3, 1), 128, 191)) return 0
    return n
}

function is_between(c, low, high) { return TEXT_BYTE[c] >= low && TEXT_BYTE[c] <= high }

# Returns the UTF-8 bytes of a code point; U+FFFD for NUL, which awk cannot hold, and for half a surrogate pair.
function utf8(code) {
    if (code == 0 || (code >= 55296 && code <= 57343)) code = 65533
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536) return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, \
        128 + int(code / 64) % 64, 128 + code % 64)
}

# Returns at most `most` bytes of s, never half a character.
function cut(s, most,    i) {
    if (length(s) <= most) return s
    for (i = most; i > 0 && is_between(substr(s, i + 1, 1), 128, 191); i--);
    return substr(s, 1, i)
}

# Returns s for people: control characters, which could move a terminal's cursor, are written as \ooo.
function shown(s,    out, i, n, c, b) {
    if (s ~ /^[ -~]*$/) return s
    out = ""
    for (i = 1; i <= length(s); i += n) {
        c = substr(s, i, 1); b = TEXT_BYTE[c]; n = 1
        if (c == "\n") out = out "\\n"
        else if (c == "\t") out = out "\\t"
        else if (b < 32 || b == 127) out = out sprintf("\\%03o", b)
        else if (b < 128) out = out c
        else if (b == 194 && is_between(substr(s, i + 1, 1), 128, 159)) { # U+0080 to U+009F are control characters too
            out = out sprintf("\\u%04x", TEXT_BYTE[substr(s, i + 1, 1)])
            n = 2
        }
        else if ((n = utf8_length(s, i)) > 0) out = out substr(s, i, n)
        else { out = out utf8(65533); n = 1 }
    }
    return out
}

# Fills best[1..] with the keys of the `limit` greatest counts, equal ones in byte order; returns how many there are.
function top(counts, limit, best,    n, key, pick, found, taken) {
    split("", best); split("", taken)
    for (n = 0; n < limit; n++) {
        found = 0
        for (key in counts) {
            if (key in taken) continue
            if (!found || counts[key] > counts[pick] || (counts[key] == counts[pick] && (key "") < (pick ""))) pick = key
            found = 1
        }
        if (!found) break
        taken[pick] = 1
        best[n + 1] = pick
    }
    return n
}
