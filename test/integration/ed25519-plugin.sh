#!/bin/sh
# Prints where the server's half of ed25519 authentication is. Debian has it in mariadb-server, the
# package that starts a server; so it is taken out of the package, once, and used again by later
# runs. Fails where the package cannot be had.
set -eu

installed=/usr/lib/mysql/plugin/auth_ed25519.so
if [ -e "$installed" ]; then
    echo "$installed"
    exit 0
fi

# shellcheck disable=SC2016 # the ${...} is dpkg-query's
version=$(dpkg-query --show --showformat='${Version}' mariadb-server-core)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/kubedl-shipper/mariadb-$version
if [ ! -e "$folder/auth_ed25519.so" ]; then
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    mkdir -p "$folder"
    partial=$(mktemp -d "$folder/partial.XXXXXX")
    trap 'rm -rf "$partial"' EXIT
    trap 'exit 1' INT TERM HUP
    # One at a time, as in .ci/deps: an `apt-get update` does not wait for another one.
    exec 9</var/lib/dpkg
    flock 9
    download() (cd "$partial" && apt-get download -qq "mariadb-server=$version" >&2)
    # The package lists of a fresh machine are absent or old.
    download || { $sudo apt-get update -qq >&2 && download; }
    dpkg-deb --extract "$partial"/*.deb "$partial/files"
    mv "$partial/files$installed" "$folder/auth_ed25519.so"
fi
echo "$folder/auth_ed25519.so"
