# What a worker gets on standard input (the WorkerContext), by parts: the results of the workers before it. POSIX awk.
#
# Each worker of this example prints an object with one member, named after its part: {"churn": {...}}.

# Reads standard input. PART[name] is then the path of a part in the arrays of json.awk, PARTS[1..PART_COUNT] the names in
# the order they came; ABSENT[id] says in a few words why a subtask has no result. Returns 0 if the input is no JSON.
function read_parts(    k, n, i, path, name, reason) {
    split("", PART); split("", PARTS); split("", ABSENT)
    PART_COUNT = 0
    if (!json_read("")) return 0
    for (k = 0; ("sibling_results." k) in JSON_KIND; k++) {
        path = "sibling_results." k ".output"
        if (JSON_KIND[path] != "object") continue
        n = JSON_VALUE[path]
        for (i = 0; i < n; i++) {
            name = JSON_NAME[path, i]
            if (name in PART || name ~ /[.\\]/) continue
            PART[name] = path "." name
            PARTS[++PART_COUNT] = name
        }
    }
    for (k = 0; ("absent." k) in JSON_KIND; k++) {
        path = "absent." k "."
        reason = JSON_KIND[path "reason"] == "string" ? first_line(JSON_VALUE[path "reason"]) : ""
        ABSENT[JSON_VALUE[path "subtask_id"]] = JSON_VALUE[path "status"] (reason == "" ? "" : ": " reason)
    }
    return 1
}

function first_line(s) {
    sub(/\n.*/, "", s)
    return cut(s, 200)
}

# Returns a value of a part, as text: get("churn", "most_changed.0.path"). "" if there is none, or null.
function get(part, key,    path) {
    path = PART[part] "." key
    if (!(part in PART) || !(path in JSON_KIND) || JSON_KIND[path] == "null") return ""
    return JSON_VALUE[path]
}

# Returns a value of a part as a number, to count or compare with; 0 if there is none.
function number(part, key) { return get(part, key) + 0 }

# Returns why a part is absent, in words.
function absence(part) { return "absent (" (part in ABSENT ? shown(ABSENT[part]) : "no result") ")" }

# Returns a whole number with commas between thousands.
function thousands(n,    s, out) {
    s = sprintf("%.0f", n)
    out = ""
    while (length(s) > 3) {
        out = "," substr(s, length(s) - 2) out
        s = substr(s, 1, length(s) - 3)
    }
    return s out
}

# Returns "1 file", "2,000 files".
function count_of(n, one, many) { return thousands(n) " " (n + 0 == 1 ? one : many == "" ? one "s" : many) }

# Returns a number of bytes for people: 1.5 MiB.
function human(bytes,    unit) {
    bytes += 0
    if (bytes < 1024) return bytes " B"
    for (unit = 1; unit < 5 && bytes >= 1024; unit++) bytes /= 1024
    return sprintf("%.1f %s", bytes, substr("KiBMiBGiBTiB", 3 * unit - 5, 3))
}

# Returns ownership's bus factor in words: null without commits, or where it is beyond the authors listed.
function bus_factor() {
    if (get("ownership", "bus_factor") != "") return get("ownership", "bus_factor")
    return get("ownership", "main_author_share") == "" ? "unknown" : "above 20"
}

# Returns the members of a part that are plain values, for a part that no one here knows: "files 3, oldest 2019".
function plain_members(part,    path, i, n, name, kind, out) {
    path = PART[part]
    out = ""
    if (JSON_KIND[path] == "array") return count_of(JSON_VALUE[path], "entry", "entries")
    if (JSON_KIND[path] != "object") return shown(cut(JSON_VALUE[path], 200))
    n = JSON_VALUE[path]
    for (i = 0; i < n; i++) {
        name = JSON_NAME[path, i]
        if (name ~ /[.\\]/) continue
        kind = JSON_KIND[path "." name]
        if (kind == "object" || kind == "array" || kind == "null") continue
        out = out (out == "" ? "" : ", ") shown(name) " " shown(cut(JSON_VALUE[path "." name], 200))
    }
    return out
}
