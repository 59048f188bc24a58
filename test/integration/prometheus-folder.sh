#!/bin/sh
# Prints the folder that Prometheus and its promtool are in: where they are installed, or else one that
# Debian's package is unpacked into, once. Installing the package would start a server on the machine
# of whoever runs this.
set -eu

if promtool=$(command -v promtool) && command -v prometheus >/dev/null; then
    dirname "$promtool"
    exit 0
fi

folder=${XDG_CACHE_HOME:-$HOME/.cache}/kubedl-shipper/prometheus
if [ -x "$folder/usr/bin/promtool" ]; then
    echo "$folder/usr/bin"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "$0: no Debian packages here: install prometheus and promtool" >&2
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
# From Debian 13 on promtool is a package of its own.
download() (
    cd "$partial" && apt-get download -qq prometheus >&2 &&
        { ! apt-cache show promtool >/dev/null 2>&1 || apt-get download -qq promtool >&2; }
)
# The package lists of a fresh machine are absent or old.
download || { $sudo apt-get update -qq >&2 && download; }
for package in "$partial"/*.deb; do
    dpkg -x "$package" "$partial"
    rm "$package"
done
# Another run may have been quicker: then its folder is as good.
mv -T "$partial" "$folder" 2>/dev/null || [ -x "$folder/usr/bin/promtool" ]
echo "$folder/usr/bin"
