# Sourced by the gates. A gate is run from the root of the tree and by make, which tells it the
# compiler's flags and the archives to look at (LINT_*).

# violations RULE: what it reads breaks RULE. Fails if that is anything.
violations() {
    lines=$(cat)
    [ -n "$lines" ] || return 0
    printf '%s\n' "$lines" >&2
    printf '    ^ %s: %s\n' "${0##*/}" "$1" >&2
    return 1
}

# files_of SUFFIX DIRECTORY...: the files of the directories that exist.
files_of() {
    suffix=$1
    shift
    for directory; do
        [ ! -d "$directory" ] || find "$directory" -name "*.$suffix"
    done | sort
}
