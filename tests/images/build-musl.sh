#!/bin/sh
# Builds zlib and CPython with musl and puts a small root file system together, inside a root of Debian that has a
# compiler, musl and the sources of both in /usr/src. musl.py enters that root and runs this.
# Usage: build-musl.sh FOLDER      (the folder is made, and is the new root)
set -eu
root=$1
sources=/usr/src
cpus=$(nproc)

tuple=$(musl-gcc -print-multiarch)
tuple=${tuple%-*}-musl

# The compiler as CPython's configure wants it: it names musl's platform, and knows the kernel's headers, which musl-gcc
# hides together with those of the other C library.
mkdir -p /opt/kernel
for each in linux asm-generic mtd; do
    ln -sfn "/usr/include/$each" "/opt/kernel/$each"
done
ln -sfn "/usr/include/${tuple%-*}-gnu/asm" /opt/kernel/asm
cat >/opt/cc <<END
#!/bin/sh
case "\$*" in
    --print-multiarch | -print-multiarch | -dumpmachine) echo $tuple ;;
    *) exec musl-gcc "\$@" -idirafter /opt/kernel ;;
esac
END
chmod +x /opt/cc
ln -sf mawk /usr/bin/awk

cd "$sources"
for each in *.orig.tar.?z; do
    mkdir -p "${each%%_*}"
    tar -x -f "$each" -C "${each%%_*}" --strip-components=1
done

cd "$sources"/zlib
CC=/opt/cc CFLAGS="-O2 -fPIC" ./configure --static --prefix=/opt/zlib
make -j "$cpus" libz.a
make install

cd "$sources"/python*/
./configure CC=/opt/cc PKG_CONFIG=false ZLIB_CFLAGS=-I/opt/zlib/include ZLIB_LIBS="-L/opt/zlib/lib -lz" \
    --build="${tuple%%-*}-pc-linux-musl" --prefix=/usr/local OPT="-DNDEBUG -O1 -w" --without-ensurepip --disable-test-modules
make -j "$cpus"

# As `make install` would, without the static library, the headers and what has no use in a container.
version=$(sed -n 's/^VERSION= *\t*//p' Makefile)
lib=$root/usr/local/lib/python$version
mkdir -p "$root/usr/local/bin" "$lib/lib-dynload" "$root/bin" "$root/lib"
strip -o "$root/usr/local/bin/python3" python
cp -R Lib/. "$lib"
rm -rf "$lib/test" "$lib/idlelib" "$lib/turtledemo" "$lib/tkinter" "$lib/ensurepip" "$lib/pydoc_data"
for each in build/lib.*/*.so; do
    strip -o "$lib/lib-dynload/$(basename "$each")" "$each"
done
cp build/lib.*/_sysconfigdata_*.py "$lib"

# musl is its own loader, and everything else is busybox.
cp -L /lib/ld-musl-*.so.1 "$root/lib"
cp /usr/bin/busybox "$root/bin"
for each in $(/usr/bin/busybox --list); do
    [ -e "$root/bin/$each" ] || ln -s busybox "$root/bin/$each"
done
