#!/bin/sh
# dependencies.sh REPO: what the repository says it depends on.
#
# {"dependencies": {
#   "manifest_count"  tracked manifests, at any depth, by their names (list: kind_of below)
#   "manifests"       the first 50: [{path, kind, direct}]; direct = distinct names of direct dependencies of every sort
#                     (run, dev, build, optional, peer), null where a simple reading would not be honest: a program
#                     (Gemfile, build.gradle, setup.py), an inheriting format (pom.xml), a file that cannot be read
#   "direct_total"    sum of direct over all manifests; what two manifests name counts twice
#   "uncounted"       manifests whose direct is null
#   "lock_files"      tracked lock files, the first 50 paths
#   "lock_file_count" how many there are
# }}
#
# Counted as direct: Cargo.toml: [dependencies], [dev-dependencies], [build-dependencies], also under [target.X], not
# [workspace.dependencies]. package.json: dependencies, devDependencies, optionalDependencies, peerDependencies.
# composer.json: require, require-dev, without the platform (php, ext-*, lib-*). pyproject.toml: project.dependencies and
# .optional-dependencies, [dependency-groups], Poetry's tables without python. Pipfile: packages, dev-packages.
# requirements*.txt: its requirement lines, not its options (-r, --hash). go.mod: what it requires, without "// indirect".
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
    if (is_lock(name)) {
        locks++
        if (locks <= 50) lock_list = lock_list comma(locks) json_string(path)
    }
    kind = kind_of(name)
    if (kind == "") next
    manifests++
    direct = $0 ~ /^100/ ? count_direct(kind, "./" path) : "" # a symbolic link is not followed
    if (direct == "") uncounted++
    else total += direct
    if (manifests > 50) next
    list = list comma(manifests) "{\"path\":" json_string(path) ",\"kind\":\"" kind "\""
    list = list ",\"direct\":" (direct == "" ? "null" : json_number(direct)) "}"
}
END {
    printf "{\"dependencies\":{\"manifest_count\":%s,\"manifests\":[%s]", json_number(manifests), list
    printf ",\"direct_total\":%s,\"uncounted\":%s", json_number(total), json_number(uncounted)
    printf ",\"lock_file_count\":%s,\"lock_files\":[%s]}}\n", json_number(locks), lock_list
}

function kind_of(name) {
    if (name ~ /^(Cargo|pyproject)\.toml$|^(package|composer)\.json$|^Pipfile$|^go\.mod$/) return name
    if (name ~ /^requirements([-_.].*)?\.txt$/) return "requirements.txt"
    if (name ~ /^(pom\.xml|build\.gradle(\.kts)?|setup\.(py|cfg)|Gemfile|mix\.exs|pubspec\.yaml|Package\.swift)$/) return name
    if (name ~ /^(environment\.ya?ml|conanfile\.(txt|py)|vcpkg\.json)$/) return name
    if (match(name, /\.(gemspec|csproj|fsproj|cabal)$/)) return substr(name, RSTART)
    return ""
}

function is_lock(name) {
    return name ~ /^(Cargo|yarn|deno|poetry|uv|pdm|Pipfile|Gemfile|composer|mix|pubspec|flake|conan)\.lock$/ ||
        name ~ /^(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|bun\.lockb?|go\.sum|Package\.resolved)$/ ||
        name ~ /^(packages\.lock\.json|gradle\.lockfile)$/
}

# Returns how many there are, "" if that cannot be told.
function count_direct(kind, path,    line) {
    if ((getline line < path) < 0) return ""
    close(path)
    split("", names); distinct = 0
    if (kind == "Cargo.toml") return count_cargo(path)
    if (kind == "pyproject.toml") return count_pyproject(path)
    if (kind == "Pipfile") return count_pipfile(path)
    if (kind == "package.json") return count_json(path, "dependencies devDependencies optionalDependencies peerDependencies", "")
    if (kind == "composer.json") return count_json(path, "require require-dev", "^(php(-64bit)?|hhvm|composer(-(plugin|runtime)-api)?|(ext|lib)-.*)$")
    if (kind == "requirements.txt") return count_requirements(path)
    if (kind == "go.mod") return count_go(path)
    return ""
}

function add_name(name) {
    if (name in names) return
    names[name]
    distinct++
}

function count_json(path, tables, without,    n, t, table, i) {
    if (!json_read(path) || JSON_KIND[""] != "object") return ""
    n = split(tables, table, " ")
    for (t = 1; t <= n; t++) {
        if (!(table[t] in JSON_KIND) || JSON_KIND[table[t]] != "object") continue
        for (i = 0; i < JSON_VALUE[table[t]]; i++)
            if (without == "" || JSON_NAME[table[t], i] !~ without) add_name(JSON_NAME[table[t], i])
    }
    return distinct
}

function count_cargo(path,    i, n, s, at) {
    toml_read(path)
    for (i = 1; i <= TOML_COUNT; i++) {
        n = split(TOML_PATH[i], s, "\t")
        at = s[1] == "target" ? 3 : 1
        if (s[at] !~ /^((dev|build)[-_])?dependencies$/) continue
        if (n > at) add_name(s[at + 1])
        else if (TOML_TEXT[i] ~ /^\{.*[^ \t}]/ && TOML_TEXT[i] != "{") return "" # a whole table in one value
    }
    return distinct
}

function count_pyproject(path,    i, k, n, s, known, at) {
    toml_read(path)
    known = 0
    for (i = 1; i <= TOML_COUNT; i++) {
        n = split(TOML_PATH[i], s, "\t")
        if (s[1] == "project" || s[1] == "dependency-groups" || (s[1] == "tool" && s[2] == "poetry")) known = 1
        # A program makes them.
        if (s[1] == "project" && s[2] == "dynamic" && TOML_TEXT[i] ~ /["\047](optional-)?dependencies["\047]/) return ""
        if (TOML_PATH[i] ~ /^(project\tdependencies|project\toptional-dependencies\t[^\t]+|dependency-groups\t[^\t]+)$/) {
            if (TOML_TEXT[i] ~ /\{/) return "" # a group that includes another
            for (k = 1; k <= TOML_STRINGS[i]; k++) add_name(python_name(TOML_STRING[i, k]))
        }
        if (s[1] != "tool" || s[2] != "poetry") continue
        at = s[3] == "group" ? 5 : 3
        if (s[at] ~ /^(dev-)?dependencies$/ && n > at && s[at + 1] != "python") add_name(python_name(s[at + 1]))
    }
    return known ? distinct : ""
}

# A requirement names a package first: `My_Pkg[extra] >= 1` is my-pkg.
function python_name(s) {
    sub(/^[ \t]+/, "", s)
    if (match(s, /^[A-Za-z0-9][-A-Za-z0-9._]*/)) s = substr(s, 1, RLENGTH)
    gsub(/[-_.]+/, "-", s)
    return tolower(s)
}

function count_pipfile(path,    i, s) {
    toml_read(path)
    for (i = 1; i <= TOML_COUNT; i++)
        if (split(TOML_PATH[i], s, "\t") > 1 && s[1] ~ /^(dev-)?packages$/) add_name(python_name(s[2]))
    return distinct
}

function count_requirements(path,    line, n, goes_on, is_start) {
    n = 0; goes_on = 0
    while ((getline line < path) > 0) {
        sub(/\r$/, "", line)
        is_start = !goes_on
        goes_on = line ~ /\\$/
        if (is_start && line !~ /^[ \t]*([#-]|$)/) n++
    }
    close(path)
    return n
}

function count_go(path,    line, block) {
    block = 0
    while ((getline line < path) > 0) {
        sub(/\r$/, "", line)
        if (block && line ~ /^[ \t]*\)/) { block = 0; continue }
        if (line ~ /^[ \t]*require[ \t]*\(/) { block = 1; continue }
        if (!block && !sub(/^[ \t]*require[ \t]+/, "", line)) continue
        if (line ~ /\/\/[ \t]*indirect([; \t]|$)/ || line ~ /^[ \t]*(\/\/|$)/) continue
        sub(/^[ \t]+/, "", line)
        sub(/[ \t].*/, "", line)
        add_name(line)
    }
    close(path)
    return distinct
}
' "$scratch/index"
