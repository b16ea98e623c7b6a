#!/bin/sh
# check.sh [REPO]: compares figures of the workers with those that plain git, find and wc give, taken another way. Prints a
# line for each, ends with 1 if one differs. For a work tree that holds still, without a merge in progress.
set -u
LC_ALL=C GIT_OPTIONAL_LOCKS=0
export LC_ALL GIT_OPTIONAL_LOCKS
here=$(cd -- "$(dirname -- "$0")" && pwd)
cd -- "${1:-.}" && cd -- "./$(git rev-parse --show-cdup)" || exit 65
failed=0

# same WORKER PATH WANTED: compares a value of the worker's result ("" for null) with what it should be.
same() {
    [ "$1" = "${last-}" ] || result=$(if [ "$1" = marks ]; then sh "$here/workers/marks.sh" git .; else sh "$here/workers/$1.sh" .; fi)
    last=$1
    got=$(printf '%s\n' "$result" | WHERE=$1.$2 awk "$(cat -- "$here/lib/text.awk" "$here/lib/json.awk")"'
        BEGIN { where = ENVIRON["WHERE"]; json_read(""); print (JSON_KIND[where] == "null" ? "" : JSON_VALUE[where]) }')
    if [ "$got" = "$3" ]; then
        echo "ok       $1.$2 = $got"
    else
        echo "DIFFERS  $1.$2: the worker says $got, plain git $3"
        failed=1
    fi
}

# Standard input's lines, bytes, NULs, sum.
lines() { echo $(($(wc -l))); }
bytes() { echo $(($(wc -c))); }
nuls() { tr -cd '\0' | bytes; }
sum() { awk '{ n += $1 } END { printf "%.0f\n", n }'; }

# find_tracked EXPRESSION: find over the tracked paths.
find_tracked() {
    git ls-files -z | xargs -0 -n 200 sh -c 'for path do set -- "$@" "./$path"; shift; done; find "$@" -prune '"$1" sh 2>/dev/null
}

same inventory files "$(git ls-files | sort -u | lines)"
same inventory symlinks "$(git ls-files -s | grep -c '^120000')"
same inventory submodules "$(git ls-files -s | grep -c '^160000')"
same inventory directories "$(git ls-files | sed -n -e 's/^"//' -e :up -e 's,/[^/]*$,,p' -e 't up' | sort -u | lines)"
same inventory commits "$(git rev-list --count HEAD -- 2>/dev/null || echo 0)"
same inventory head "$(git rev-parse --quiet --verify HEAD)"

same sizes files "$(find_tracked '-type f -exec printf "x%.0s" {} +' | bytes)"
same sizes bytes "$(find_tracked '-type f -exec cat {} +' | bytes)"
same sizes text_files "$(git grep -I -l -z -e '' | nuls)"
same sizes lines "$(git grep -I -h -e '' | lines)"
same large_files count "$(find_tracked '-type f -size +1048576c -exec printf "x%.0s" {} +' | bytes)"

if git rev-parse --quiet --verify HEAD >/dev/null; then
    same churn files "$(git log --format= --name-only | sort -u | sed '/^$/d' | lines)"
    same churn lines_added "$(git log --format= --numstat | sum)"
    same churn lines_deleted "$(git log --format= --numstat | cut -f 2 | sum)"
    same churn most_changed.0.commits "$(git log --format= --name-only | sed '/^$/d' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $1 }')"
    same authors count "$(git shortlog -sne HEAD | lines)"
    same authors top.0.commits "$(git shortlog -sne HEAD | awk 'NR == 1 { print $1 }')"
    same authors first_commit "$(git log --format='%ct %cI' | sort -n | sed -n '1s/.* //p')"
    same authors last_commit "$(git log --format='%ct %cI' | sort -n | sed -n '$s/.* //p')"
fi

for mark in TODO FIXME XXX HACK; do
    same marks "counts.$mark" "$(git grep -I -w -F -h -e "$mark" | lines)"
done

exit "$failed"
