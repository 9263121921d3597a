#!/bin/sh
# Runs the steps of the Dockerfile's build stage without Docker: its own lines, in its order, with a
# virtualenv in place of the base image and a folder in place of the root of the file system.
#
# Usage: build-steps.sh FOLDER [PYTHON]
#
# FOLDER must not exist. What the image would hold is then in FOLDER/opt/gatepost. Nothing is written
# elsewhere; only the package index is asked (exit 3 when it does not answer). Steps of the last stage
# (the user, the health check) are left out.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 FOLDER [PYTHON]" >&2; exit 2; }
[ ! -e "$1" ] || { echo "$0: $1 exists" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
mkdir -p "$1"
root=$(cd "$1" && pwd)

"${2:-python3}" -m venv "$root/base"
# A virtualenv may bring a pip that is older than the image's.
"$root/base/bin/python" -m pip install --disable-pip-version-check --quiet 'pip>=24' \
    || { echo "$0: the package index cannot be reached" >&2; exit 3; }
PATH="$root/base/bin:$PATH"
export PATH PIP_DISABLE_PIP_VERSION_CHECK=1

# Absolute paths of the image become paths below the folder.
relocate() {
    printf '%s\n' "$1" | sed -e "s#\(^\| \)/\(src\|wheels\|opt\)#\1$root/\2#g"
}

# One instruction a line, comments left out.
instructions() {
    sed -e '/^[[:space:]]*#/d' "$here/Dockerfile" | sed -e ':a' -e '/\\$/N; s/\\\n[[:space:]]*//; ta' -e '/^$/d'
}

copy() {
    for target in "$@"; do :; done
    mkdir -p "$target"
    while [ $# -gt 1 ]; do
        if [ -d "$source/$1" ]; then cp -R "$source/$1/." "$target"; else cp "$source/$1" "$target"; fi
        shift
    done
}

instructions >"$root/steps"
stage=0
while read -r word rest; do
    case $word in
        FROM) stage=$((stage + 1)) ;;
    esac
    [ "$stage" -eq 1 ] || continue
    case $word in
        FROM) ;;
        WORKDIR) where=$(relocate "$rest") && mkdir -p "$where" && cd "$where" ;;
        # shellcheck disable=SC2086 # a list of names
        COPY) copy $rest ;;
        RUN) echo "RUN $rest" && sh -euc "$(relocate "$rest")" </dev/null ;;
        *) echo "$0: no step for $word" >&2; exit 1 ;;
    esac
done <"$root/steps"

"$root/opt/gatepost/bin/gatepost" --version
