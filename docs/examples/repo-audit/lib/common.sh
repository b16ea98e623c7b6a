# Shared by the workers: sourced first, never run.
#
# Promises: the audited repository is only read, nothing is fetched, git's output does not depend on the user's
# configuration, and every tool works on bytes (LC_ALL=C).
#
# How bytes stay right. A file name may hold any byte but NUL. Where awk needs names, git prints them one a line, in its
# quoted form ("a\nb.txt"), which unquote() of text.awk undoes exactly; where a tool needs them as arguments, they travel
# NUL-separated (`git ls-files -z | xargs -0`). Both lists have the same order, so they can be joined line by line.

set -eu
LC_ALL=C
GIT_OPTIONAL_LOCKS=0    # git must not even refresh the index
GIT_NO_LAZY_FETCH=1     # nor fetch what a partial clone lacks
GIT_TERMINAL_PROMPT=0
export LC_ALL GIT_OPTIONAL_LOCKS GIT_NO_LAZY_FETCH GIT_TERMINAL_PROMPT
# A git hook that starts orch exports these, and they would win over the path that was asked for.
unset CDPATH GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_PREFIX GIT_NAMESPACE

# Exit codes that orch understands (sysexits.h).
invalid_input=65 # trying again is pointless
unavailable=69   # a tool is missing: another worker may do it
try_again=75     # the world changed under our feet

tab=$(printf '\t')
lib=$(cd -- "$(dirname -- "$0")/../lib" && pwd)
awk_lib=$(cat -- "$lib/text.awk" "$lib/json.awk" "$lib/toml.awk" "$lib/parts.awk")

# fail CODE MESSAGE: says why on stderr and ends the worker.
fail() {
    printf '%s: %s\n' "$(basename -- "$0" .sh)" "$2" >&2
    exit "$1"
}

# repo_git ARGS: git, whatever the user's or the repository's configuration says.
repo_git() {
    git -c core.quotePath=false -c core.fsmonitor=false -c submodule.recurse=false -c color.ui=false \
        -c log.showRoot=true -c log.showSignature=false -c i18n.logOutputEncoding=UTF-8 \
        -c advice.sparseIndexExpanded=false "$@"
}

# open_repo PATH: goes to the top folder of the work tree that PATH (default: the current folder) is in, and makes
# $scratch, a folder that goes away with the worker. Ends with 65 if there is no work tree.
open_repo() {
    command -v git >/dev/null 2>&1 || fail "$unavailable" "git is not installed"
    case ${1:-.} in
        /*) path=${1:-.} ;;
        *) path=./${1:-.} ;; # so that no name is taken for an option
    esac
    [ -d "$path" ] || fail "$invalid_input" "no such folder: $1"
    cd "$path" || fail "$invalid_input" "cannot enter $1"
    # The x keeps a newline at the end of the folder's name.
    top=$(repo_git rev-parse --show-toplevel 2>/dev/null && echo x) ||
        fail "$invalid_input" "cannot open ${1:-.} as a git work tree: $(git rev-parse --show-toplevel 2>&1 || :)"
    top=${top%??}
    cd "$top" || fail "$invalid_input" "cannot enter $top"

    scratch=$(mktemp -d "${TMPDIR:-/tmp}/repo-audit.XXXXXX") || fail "$try_again" "cannot make a temporary folder"
    trap 'rm -rf -- "$scratch"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# has_commits: whether HEAD names a commit; it does not in an empty repository.
has_commits() {
    repo_git rev-parse --quiet --verify 'HEAD^{commit}' >/dev/null 2>&1
}

# with_paths LIST COMMAND...: runs COMMAND with the paths of a NUL-separated list, in order, some at a time. A path that
# could be taken for an option, for standard input (-) or for an assignment (awk: a=b) is given as ./PATH. Fails if a run
# fails.
with_paths() {
    list=$1
    shift
    [ -s "$list" ] || return 0
    # xargs -0 is in every known xargs, and in POSIX since 2024.
    printf 'a\0' | xargs -0 true 2>/dev/null || fail "$unavailable" "xargs -0 does not work here"
    # shellcheck disable=SC2016
    xargs -0 -n 200 sh -c '
        words=$0 strange= # so many words are the command
        for word do
            if [ "$words" -gt 0 ]; then words=$((words - 1)); continue; fi
            case $word in -* | [A-Za-z_]*=*) strange=1 ;; esac
        done
        if [ "$strange" ]; then # replaces the arguments one by one
            words=$0
            for word do
                if [ "$words" -gt 0 ]; then words=$((words - 1))
                else case $word in -* | [A-Za-z_]*=*) word=./$word ;; esac
                fi
                set -- "$@" "$word"
                shift
            done
        fi
        "$@"' $# "$@" <"$list"
}

# measure_files OUTPUT: writes one line for each tracked path, in git's order: KIND, BYTES, PATH (quoted), parted by tabs.
# KIND is what is in the work tree: file, link, folder (a submodule), other or missing; BYTES is 0 for all but a file.
measure_files() {
    if stat -c %s / >/dev/null 2>&1; then
        set -- "$1" stat -c %s # GNU, busybox
    elif stat -f %z / >/dev/null 2>&1; then
        set -- "$1" stat -f %z # BSD
    else
        fail "$unavailable" "stat is not installed"
    fi
    output=$1
    shift
    repo_git ls-files >"$scratch/paths"
    repo_git ls-files -z >"$scratch/paths0"
    # The tests are built into the shell: no process for each file.
    # shellcheck disable=SC2016
    with_paths "$scratch/paths0" sh -c 'for path do
        if [ -L "$path" ]; then echo link
        elif [ -f "$path" ]; then echo file
        elif [ -d "$path" ]; then echo folder
        elif [ -e "$path" ]; then echo other
        else echo missing
        fi
    done' sh >"$scratch/kinds"
    # One line for each path that is there; stat complains about the missing ones, which are known.
    with_paths "$scratch/paths0" "$@" >"$scratch/bytes" 2>/dev/null || :
    awk -v kinds="$scratch/kinds" -v bytes="$scratch/bytes" '
        $0 == last { again = 1 }                        # an unmerged path is listed once for each of its stages
        $0 != last { again = 0 }
        {
            last = $0; size = 0
            if ((getline kind < kinds) <= 0) exit (broken = 1)
            if (kind != "missing" && (getline size < bytes) <= 0) exit (broken = 1)
            if (!again) print kind "\t" (kind == "file" ? size : 0) "\t" $0
        }
        END { exit (broken || (getline kind < kinds) > 0 || (getline size < bytes) > 0) }
    ' "$scratch/paths" >"$output" || fail "$try_again" "files came or went while they were measured"
}

# git_grep ARGS: git grep over the tracked text files of the work tree. Finding nothing is no failure.
git_grep() {
    repo_git grep --no-color -I -F "$@" || [ $? -eq 1 ]
}
