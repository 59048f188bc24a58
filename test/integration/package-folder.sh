#!/bin/sh
# Prints a folder that Debian packages are unpacked into, once: what they would start or replace when they are installed
# is no matter of whoever runs the tests. A later run uses it again.
#
#   package-folder.sh PACKAGE[=VERSION]...
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/kubedl-shipper
folder=$cache/unpacked/$(echo "$*" | tr ' ' '_')
if [ -d "$folder" ]; then
    echo "$folder"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "$0: no Debian packages here: install $*" >&2
    exit 1
fi

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
partial=$folder.partial.$$
trap 'rm -rf "$partial"' EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$partial"
# One at a time, as in .ci/deps: an `apt-get update` does not wait for another one.
exec 9</var/lib/dpkg
flock 9
# Nobody but root may look into root's home; apt would rather not be root where it can help it, and says so.
download() (cd "$partial" && apt-get download -qq -o APT::Sandbox::User=root "$@" >&2)
# The package lists of a fresh machine are absent or old.
download "$@" || { $sudo apt-get update -qq >&2 && download "$@"; }
for package in "$partial"/*.deb; do
    dpkg-deb --extract "$package" "$partial"
    rm "$package"
done
# Where root works for somebody who may use sudo, the folder is that person's.
[ "$(id -u)" -ne 0 ] || chown --recursive --reference="$cache" "$cache/unpacked"
# Another run may have been quicker: then its folder is as good.
mv -T "$partial" "$folder" 2>/dev/null || [ -d "$folder" ]
echo "$folder"
