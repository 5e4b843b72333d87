#!/usr/bin/env bash
# Shows that a 64-bit ARM machine, emulated by qemu, codes as this one does:
#
#     apt install debootstrap qemu-user-static && bash tests/arm/arm.sh FOLDER
#
# FOLDER (1.5 GB) keeps an ARM Debian with Python 3.11 and the packages of requirements.lock, so a
# second run only computes. That takes ten minutes of an idle core or more. Run as root (debootstrap).
# Nothing is installed on this machine, and no ARM program is started but by name.
set -euo pipefail
folder=$(realpath -m "${1:?usage: arm.sh FOLDER}")
source=$(realpath "$(dirname "$0")/../..")
python=${PYTHON:-$source/.venv/bin/python}
packages=$folder/packages
mkdir -p "$folder"

if [ ! -e "$folder/root/usr/bin/python3.11" ]; then
    debootstrap --foreign --arch=arm64 --variant=minbase --include=python3,libgomp1 bookworm "$folder/root"
    for package in "$folder"/root/var/cache/apt/archives/*.deb; do
        dpkg-deb -x "$package" "$folder/root"
    done
fi

# PyTorch's later ARM packages for Linux need CUDA's libraries. constriction has no ARM package.
if [ ! -e "$packages" ]; then
    versions=$(grep -E '^(numpy|pillow|safetensors|platformdirs|tqdm|sympy|mpmath|networkx|Jinja2|MarkupSafe|filelock|fsspec|typing_extensions)==' "$source/requirements.lock")
    platforms=()
    for libc in 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${libc}_aarch64"); done
    # shellcheck disable=SC2086
    "$python" -m pip install --quiet --no-deps --only-binary=:all: --python-version 3.11 \
        "${platforms[@]}" --platform manylinux2014_aarch64 --target "$packages.new" torch==2.10.0 $versions
    mv "$packages.new" "$packages"
fi

export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
"$python" "$source/tests/arm/check.py" "$source" | tee "$folder/here.txt"
PYTHONPATH=$packages qemu-aarch64-static -L "$folder/root" "$folder/root/usr/bin/python3.11" \
    "$source/tests/arm/check.py" "$source" | tee "$folder/arm.txt"
diff <(tail -n +2 "$folder/here.txt") <(tail -n +2 "$folder/arm.txt")
echo "$(($(wc -l < "$folder/arm.txt") - 1)) lines, all the same"
