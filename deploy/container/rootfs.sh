#!/bin/sh
# Copy what a running image needs of this stage into an empty root: the interpreter and its libraries,
# certificates of CAs, time zones, busybox as shell and tools. What stays behind is apt, dpkg, Perl and the
# rest of what installs: nobody installs on a read-only root, and what is not there needs no patches.
set -eu
root=$1

# What is wanted; what these depend on follows them.
wanted="base-files busybox ca-certificates libc-bin libpython3-stdlib libstdc++6 netbase python3-minimal tzdata"

# Depended on for installing only, or for modules of Python that are left out below (curses, dbm, nis, readline).
needless() {
    case $1 in
        debconf* | dpkg | install-info | openssl | perl* | *awk | readline-common) true ;;
        libncurses* | libreadline* | libtinfo* | ncurses*) true ;;
        libdb5* | libnsl2 | libtirpc* | libgssapi* | libk5* | libkrb5* | libkeyutils* | libcom-err*) true ;;
        *) false ;;
    esac
}

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed'; }

needs() {
    dpkg-query -W -f '${Pre-Depends},${Depends}\n' "$1" | tr ',' '\n' | sed -e 's/^ *//' -e 's/[ (|:].*//'
}

packages=
add() {
    case " $packages " in *" $1 "*) return ;; esac
    if needless "$1" || ! installed "$1"; then
        return
    fi
    packages="$packages $1"
    for need in $(needs "$1"); do
        add "$need"
    done
}
for name in $wanted; do
    installed "$name" || { echo "rootfs.sh: package $name is not installed in this stage" >&2; exit 1; }
    add "$name"
done

# Directories that are links (/bin to /usr/bin) first, so that files come to lie behind them.
for link in bin sbin lib lib64; do
    if [ -L /$link ]; then
        mkdir -p "$root/usr/$link"
        ln -s "usr/$link" "$root/$link"
    fi
done

# Files of the packages; licences, but no other documentation.
cat >/tmp/left-out <<'END'
^/usr/share/(man|info|locale|lintian|bug|i18n|pixmaps|menu|base-files|gcc|python3|binfmts|ca-certificates|common-licenses|initramfs-tools)(/|$)
^/usr/share/zoneinfo/(right|posix)(/|$)
^/usr/share/doc/[^/]*/.*[^t]$
^/usr/(lib/[^/]*/gconv|lib/mime|include)(/|$)
^/etc/(apt|ca-certificates|default|dpkg|update-motd.d)(/|$)
^/usr/lib/python3[^/]*/(idlelib|lib2to3|test|ensurepip|pydoc_data|tkinter|turtledemo)(/|$)
^/usr/lib/python3[^/]*/lib-dynload/(_curses|_curses_panel|_dbm|nis|readline|_test.*|_xxtest.*)[.]
^/usr/lib/python3[^/]*/(_pydecimal|turtle)[.]py$
^(/usr)?/lib/[^/]*/lib(expatw|mvec|nsl)[.]so
^(/usr)?/lib/[^/]*/(engines-3|ossl-modules)(/|$)
^(/usr)?/s?bin/(catchsegv|iconv|iconvconfig|ld[.]so|ldconfig|localedef|pldd|py3|sprof|tzselect|update-|zdump|zic)
END
# shellcheck disable=SC2086
dpkg-query -L $packages | grep '^/.' | grep -vE -f /tmp/left-out | sort -u |
    while read -r path; do
        # A slim base has left some out already.
        [ ! -e "$path" ] || printf '%s\n' "$path"
    done |
    tar -C / -cf - --no-recursion -T - | tar -C "$root" -xf - --keep-directory-symlink

# Python's library, compiled: sources are what a traceback would quote (it still names file and line).
stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
python3 "$(dirname "$0")/compiled.py" "$root$stdlib" "$root"

# What packages make when they are installed, and what is set by hand.
for path in /etc/ssl/certs/ca-certificates.crt /etc/ssl/openssl.cnf /etc/nsswitch.conf /etc/passwd /etc/group; do
    mkdir -p "$root$(dirname $path)"
    [ ! -e $path ] || cp -aL $path "$root$path"
done
mkdir -p "$root/usr/lib/ssl"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
ln -s /etc/ssl/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"
busybox --list | while read -r tool; do
    [ -e "$root/usr/bin/$tool" ] || [ -e "$root/usr/sbin/$tool" ] || ln -s busybox "$root/usr/bin/$tool"
done

# What a scanner of vulnerabilities reads: which packages these files are.
mkdir -p "$root/var/lib/dpkg"
# shellcheck disable=SC2086
dpkg-query -s $packages >"$root/var/lib/dpkg/status"

# The user, by number, and the folders that are his: volumes are made with their owner and mode.
echo 'headrace:x:10001:10001::/tmp:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'headrace:x:10001:' >>"$root/etc/group"
install -d "$root/etc/headrace" "$root/dev" "$root/proc" "$root/sys" "$root/run"
install -d -m 1777 "$root/tmp" "$root/var/tmp"
install -d -o 10001 -g 10001 "$root/var/lib/headrace" "$root/var/lib/headrace-shared"
install -d -o 10001 -g 10001 -m 0700 "$root/var/lib/headrace/pki"
