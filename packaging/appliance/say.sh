# shellcheck shell=sh
# On every console, with the seconds since the kernel started.
say() {
    read -r up _ </proc/uptime
    for tty in /dev/tty0 /dev/ttyS0; do [ ! -w "$tty" ] || printf '[%6s] %s\r\n' "$up" "$*" >"$tty" 2>/dev/null; done
}
