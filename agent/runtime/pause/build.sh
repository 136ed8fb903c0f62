#!/usr/bin/env bash
# Assembles pause for each architecture and writes ../pause-binaries.ts. Needs Debian's binutils,
# binutils-aarch64-linux-gnu and binutils-arm-linux-gnueabihf. Only needed after a change of a .S file.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make_one() {
  local arch=$1 prefix=$2
  "${prefix}as" -o "$work/$arch.o" "pause.$arch.S"
  "${prefix}ld" -static -n -z noseparate-code -s --build-id=none -o "$work/$arch" "$work/$arch.o"
  "${prefix}objcopy" --remove-section .ARM.attributes --remove-section .note.gnu.property "$work/$arch"
}

make_one x64 ''
make_one arm64 aarch64-linux-gnu-
make_one arm arm-linux-gnueabihf-
{
  echo '/** Made by `pause/build.sh` from the assembly beside it; do not edit. Static ELF programs, base64. */'
  echo
  echo '/** By Node.js name of the architecture (`process.arch`). */'
  echo 'export const PAUSE_BINARIES: Readonly<Record<string, string>> = {'
  for arch in x64 arm64 arm; do
    echo "  $arch:"
    base64 -w 88 "$work/$arch" | sed "s/.*/    '&' +/" | sed "\$ s/ +\$/,/"
  done
  echo '};'
} >../pause-binaries.ts
ls -l "$work"/x64 "$work"/arm64 "$work"/arm | awk '{print $9, $5}' | sed "s|$work/||"
