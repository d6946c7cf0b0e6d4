#!/bin/sh
# What udhcpc found out, applied. Of several cards the first one's way out is taken.
. /etc/say.sh
case $1 in
    deconfig) ip addr flush dev "$interface" ;;
    bound | renew)
        ip addr replace "$ip/${mask:-24}" dev "$interface"
        for gateway in $router; do
            ip route replace default via "$gateway" dev "$interface" metric "$(cat "/sys/class/net/$interface/ifindex")"
            break
        done
        [ "$1" = renew ] || say "$interface has the address $ip."
        ;;
esac
