#!/bin/sh
# Makes a folder with Oracle MySQL in it and prints its path. Debian 12 has no MySQL, Debian's
# unstable has: it is unpacked beside the system, once, and used again by later runs. The mirror is
# the one that apt is set up with on this machine.
set -eu

folder=${XDG_CACHE_HOME:-$HOME/.cache}/kubedl-shipper/mysql
if [ -x "$folder/usr/sbin/mysqld" ]; then
    echo "$folder"
    exit 0
fi

PATH=$PATH:/usr/sbin:/sbin
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
if ! command -v debootstrap >/dev/null; then
    echo "$0: debootstrap is missing: make deps" >&2
    exit 1
fi

mirror=$(apt-get indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)

echo "$0: unpacking MySQL into $folder (about 900 MB, a few minutes)" >&2
mkdir -p "$(dirname "$folder")"
partial=$folder.partial.$$
trap '$sudo rm -rf "$partial"' EXIT
trap 'exit 1' INT TERM HUP
# shellcheck disable=SC2086 # no mirror known: debootstrap's own
$sudo debootstrap --variant=minbase --include=mysql-server sid "$partial" $mirror >&2
# Another run may have been quicker: then its folder is as good.
$sudo mv -T "$partial" "$folder" 2>/dev/null || [ -x "$folder/usr/sbin/mysqld" ]
echo "$folder"
